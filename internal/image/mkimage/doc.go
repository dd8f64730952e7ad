// Command mkimage makes the container images and checks them; `make image` and
// `make image-check` call it.
//
//	mkimage build -version V -revision R -created UNIX -out DIR [-arch amd64,arm64] [-bundle]
//	mkimage check FILE…
//	mkimage tree -product NAME -arch ARCH -version V -revision R -created UNIX -out DIR   (for the Dockerfile)
package main
