package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/image"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// wishes are what the flags say.
type wishes struct {
	release      image.Release
	root, out    string
	arch, wanted string
	bundle       bool
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("build, check or tree?")
	}
	if args[0] == "check" {
		return check(args[1:], stdout)
	}
	var w wishes
	fs := flag.NewFlagSet(args[0], flag.ContinueOnError)
	fs.StringVar(&w.release.Version, "version", "dev", "version of the images")
	fs.StringVar(&w.release.Revision, "revision", "", "commit of the source")
	created := fs.Int64("created", 0, "time of the commit, in seconds since 1970 (SOURCE_DATE_EPOCH)")
	fs.StringVar(&w.root, "root", ".", "root of the module")
	fs.StringVar(&w.out, "out", "dist", "directory for what is made")
	fs.StringVar(&w.arch, "arch", strings.Join(image.Platforms(), ","), "architectures")
	fs.StringVar(&w.wanted, "product", "", "one image alone")
	fs.BoolVar(&w.bundle, "bundle", false, "also everything that an installation needs, in one archive")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	w.release.Created = time.Unix(*created, 0).UTC()
	work, err := os.MkdirTemp("", "mkimage")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // of a temporary directory
	source := image.Source{Root: w.root, Work: work}
	if args[0] == "tree" {
		return w.tree(ctx, source)
	}
	return w.build(ctx, source, stdout)
}

func (w wishes) products() []image.Product {
	return slices.DeleteFunc(image.Products(), func(p image.Product) bool { return w.wanted != "" && p.Name != w.wanted })
}

func (w wishes) tree(ctx context.Context, source image.Source) error {
	for _, p := range w.products() {
		if err := source.WriteTree(ctx, p, w.arch, w.release, filepath.Join(w.out, p.Name)); err != nil {
			return err
		}
	}
	return nil
}

// build writes an archive for each product and architecture, one of all
// architectures for registries, and the bundle if it is wished.
func (w wishes) build(ctx context.Context, source image.Source, stdout io.Writer) error {
	if err := os.MkdirAll(w.out, 0o750); err != nil {
		return err
	}
	var made []image.Image
	for _, p := range w.products() {
		var all []image.Image
		for arch := range strings.SplitSeq(w.arch, ",") {
			i, err := source.Make(ctx, p, arch, w.release)
			if err != nil {
				return err
			}
			file := filepath.Join(w.out, fmt.Sprintf("%s-%s-linux-%s.tar", p.Name, w.release.Version, arch))
			if err := write(file, i.Write); err != nil {
				return err
			}
			fmt.Fprintf(stdout, "%s  %s  %.1f MB compressed\n", file, i.Digest(), float64(i.Packed())/1e6)
			all = append(all, i)
		}
		if len(all) > 1 {
			file := filepath.Join(w.out, fmt.Sprintf("%s-%s.oci.tar", p.Name, w.release.Version))
			if err := write(file, func(out io.Writer) error { return image.WriteIndex(out, all) }); err != nil {
				return err
			}
			fmt.Fprintf(stdout, "%s  for registries\n", file)
		}
		made = append(made, all...)
	}
	if !w.bundle {
		return nil
	}
	file := filepath.Join(w.out, image.BundleName(w.release)+"-offline.tar")
	if err := write(file, func(out io.Writer) error { return source.WriteBundle(out, made) }); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s  for hospitals without internet\n", file)
	return nil
}

func write(file string, content func(io.Writer) error) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := content(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// check reads archives and fails where one is not as it has to be.
func check(files []string, stdout io.Writer) error {
	bad := 0
	for _, file := range files {
		f, err := os.Open(file) //nolint:gosec // named by who calls
		if err != nil {
			return err
		}
		report, err := image.Check(f)
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fmt.Fprintf(stdout, "%s: %s %s linux/%s, %d entries, %.1f MB compressed\n", file, report.Name, report.Version, report.Arch, len(report.Files), float64(report.Packed)/1e6)
		for _, line := range report.Faults {
			fmt.Fprintf(stdout, "  FAULT %s\n", line)
			bad++
		}
	}
	if bad > 0 || len(files) == 0 {
		return fmt.Errorf("%d faults in %d images", bad, len(files))
	}
	return nil
}
