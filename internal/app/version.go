package app

// Version is the program's version, set at build time.
var Version = "dev" //nolint:gochecknoglobals // set by the linker, never written
