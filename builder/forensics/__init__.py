"""What patches do besides applying: Kconfig symbols, exported symbols, layouts of structures."""
