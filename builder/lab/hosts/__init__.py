"""The lab's machines: powered on side by side, joined by private wires, told what to do."""
