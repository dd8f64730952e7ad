// Package image makes the container images, without an engine, a registry or a
// base image: the two programs are built by go build, and everything else in the
// images is a handful of files that Make lists. The same commit and the same Go give
// the same bytes, on every machine: times are the commit's, the order is fixed, the
// owner is a number.
//
// An archive is an OCI layout and what `docker save` writes in one: docker load,
// podman load, ctr images import and skopeo take it.
//
// Check holds an archive, ours or one that docker save wrote of an image built from
// the Dockerfile, against what is listed here: nothing may be missing, and nothing
// else be there.
package image
