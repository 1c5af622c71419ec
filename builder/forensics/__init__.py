"""What patches do beside fitting: Kconfig symbols, exported symbols, layouts of structures."""
