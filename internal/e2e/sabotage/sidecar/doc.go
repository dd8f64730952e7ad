// Command sidecar is hqms-sidecar with a saboteur in it, for black-box tests.
package main
