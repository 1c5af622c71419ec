"""The lab's report: one file, readable without a network and on paper."""
