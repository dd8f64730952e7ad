package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate/report"
)

// preview is one call of validate.
type preview struct {
	library *standard.Library
	channel upload.Channel // empty: any that takes a file of that name
	options validate.Options
	format  string
	blockOn upload.Severity // empty: never
	langs   []phrase.Lang
	out     io.Writer
	err     io.Writer
}

// runValidate checks files and sends nothing. It exits with 0 when no finding
// reaches block-on, 1 when one does or a file cannot be read, 2 on wrong usage.
func runValidate(ctx context.Context, c Call, args []string) int {
	p, files, err := parsePreview(c, args)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(c.Stderr, "validate: %v\n", err)
		return exitUsage
	}
	names, reports := p.checkAll(ctx, files)
	code := exitOK
	if len(names) < len(files) {
		code = exitFailed
	}
	for _, r := range reports {
		if validate.Blocks(r.Tally, p.blockOn) {
			code = exitFailed
		}
	}
	if err := p.print(names, reports); err != nil {
		return exitFailed
	}
	return code
}

// checkAll checks files as one batch: rows that refer to rows of another file
// are looked for there. Files that cannot be read are said so and left out.
func (p *preview) checkAll(ctx context.Context, files []string) (names []string, reports []validate.Report) {
	batch := validate.NewBatch(0)
	for _, name := range files {
		r, err := p.check(ctx, name, batch)
		if err != nil {
			fmt.Fprintf(p.err, "%s: 无法读取 / cannot be read: %v\n", name, err)
			continue
		}
		names, reports = append(names, name), append(reports, r)
	}
	missing := batch.Missing()
	for i, name := range names {
		reports[i].Join(missing[name], 0)
	}
	return names, reports
}

func parsePreview(c Call, args []string) (*preview, []string, error) {
	cfg, _ := config.Load(c.Environ, config.ChannelsOptional()) // the settings of the checks, where there are any
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	flags.SetOutput(c.Stderr)
	channel := flags.String("channel", "", "通道 flu 或 hqms；不设则两者皆可 | channel flu or hqms; empty: either")
	format := flags.String("format", "text", "text, json, csv")
	std := flags.String("standard", "", "接口标准，不设则按表头判断 | standard; empty: by the header")
	blockOn := flags.String("block-on", "error", "fatal, error, warning, never")
	lang := flags.String("lang", "", "zh 或 en；不设则两种语言 | zh or en; empty: both")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	p := &preview{format: *format, out: c.Stdout, err: c.Stderr, channel: upload.Channel(*channel), langs: phrase.Langs()}
	if *lang != "" {
		p.langs = []phrase.Lang{phrase.Lang(*lang)}
	}
	if *blockOn != "never" {
		p.blockOn = upload.Severity(*blockOn)
	}
	switch {
	case flags.NArg() == 0:
		return nil, nil, errors.New("没有给出文件 / no file is given")
	case p.blockOn != "" && p.blockOn.Rank() == 0:
		return nil, nil, fmt.Errorf("-block-on %q: fatal, error, warning, never", *blockOn)
	case p.format != "text" && p.format != "json" && p.format != "csv":
		return nil, nil, fmt.Errorf("-format %q: text, json, csv", *format)
	case p.channel != "" && p.channel != upload.Flu && p.channel != upload.HQMS:
		return nil, nil, fmt.Errorf("-channel %q: flu, hqms", *channel)
	case *lang != "" && *lang != string(phrase.Chinese) && *lang != string(phrase.English):
		return nil, nil, fmt.Errorf("-lang %q: zh, en", *lang)
	}
	var err error
	if p.library, err = loadStandards(cfg); err != nil {
		return nil, nil, err
	}
	if _, ok := p.library.Standard(*std); *std != "" && !ok {
		return nil, nil, fmt.Errorf("-standard %q: 没有这个标准 / there is no such standard", *std)
	}
	p.options = validate.Options{Standard: *std, Now: time.Now()}
	return p, flags.Args(), nil
}

// check reads one file of a batch.
func (p *preview) check(ctx context.Context, name string, batch *validate.Batch) (validate.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return validate.Report{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return validate.Report{}, errors.Join(err, errors.New("不是普通文件 / not a regular file"))
	}
	channel, kind, err := p.kind(filepath.Base(name))
	if err != nil {
		return validate.Report{}, err
	}
	o := p.options
	o.Links = batch.File(name, kind)
	return p.read(ctx, validate.NewChecker(p.library, channel, kind, o), f)
}

// previews checks files for the API.
type previews struct{ a *App }

var _ httpapi.Preview = previews{}

// Preview implements httpapi.Preview.
func (v previews) Preview(ctx context.Context, b httpapi.Body) (httpapi.Previewed, error) {
	p := preview{library: v.a.standards, channel: b.Channel, options: validate.Options{Standard: b.Standard, Now: time.Now()}}
	if _, ok := p.library.Standard(b.Standard); b.Standard != "" && !ok {
		return httpapi.Previewed{}, fmt.Errorf("%w: there is no standard of that name; known are %v", httpapi.ErrUnfitting, standardIDs(p.library))
	}
	channel, kind, err := p.kind(b.Filename)
	if err != nil {
		return httpapi.Previewed{}, fmt.Errorf("%w: %w", httpapi.ErrUnfitting, err)
	}
	r, err := p.read(ctx, validate.NewChecker(p.library, channel, kind, p.options), b)
	if err != nil {
		return httpapi.Previewed{}, err
	}
	shown := httpapi.Previewed{
		Kind: r.Kind, Standard: r.Standard, Charset: r.Charset, Bytes: r.Bytes, Rows: r.Rows, RowsInError: r.RowsInError,
		Tally: r.Tally, Findings: r.Findings,
	}
	for _, c := range r.Counts {
		shown.Counts = append(shown.Counts, httpapi.Broken{Rule: c.Rule, Column: c.Column, Severity: c.Severity, Count: c.N})
	}
	return shown, nil
}

// read checks what r gives.
func (p *preview) read(ctx context.Context, checker *validate.Checker, r io.Reader) (validate.Report, error) {
	if _, err := io.CopyBuffer(struct{ io.Writer }{checker}, stopping{ctx, r}, make([]byte, 256<<10)); err != nil {
		return validate.Report{}, err
	}
	return checker.Close(), nil
}

// kind tells by its name what a file is. Without a channel, a name that both
// take stands for either: its header decides.
func (p *preview) kind(name string) (upload.Channel, upload.Kind, error) {
	channels := []upload.Channel{upload.Flu, upload.HQMS}
	if p.channel != "" {
		channels = []upload.Channel{p.channel}
	}
	var found []upload.Channel
	var kind upload.Kind
	for _, ch := range channels {
		if k, ok := p.library.Kind(ch, name); ok {
			found, kind = append(found, ch), k
		}
	}
	switch len(found) {
	case 0:
		return "", "", errors.New(phrase.Text(phrase.Chinese, "reason.name_unknown", nil) + " / " + phrase.Text(phrase.English, "reason.name_unknown", nil))
	case 1:
		return found[0], kind, nil
	default:
		return "", kind, nil
	}
}

func (p *preview) print(names []string, reports []validate.Report) error {
	if p.format == "csv" {
		return report.WriteCSV(p.out, names, reports)
	}
	for i, r := range reports {
		if p.format == "json" {
			if err := report.WriteJSON(p.out, names[i], r); err != nil {
				return err
			}
			continue
		}
		for _, lang := range p.langs {
			if err := report.WriteText(p.out, lang, names[i], r); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadStandards loads the embedded standards, and over them what is mounted.
func loadStandards(cfg *config.Config) (*standard.Library, error) {
	if cfg.StandardsDir == "" {
		return standard.Load(nil)
	}
	library, err := standard.Load(os.DirFS(cfg.StandardsDir))
	if err != nil {
		return nil, fmt.Errorf("STANDARDS_DIR: %w", err)
	}
	return library, nil
}

// runRules lists the rules that files are checked by.
func runRules(_ context.Context, c Call, args []string) int {
	cfg, _ := config.Load(c.Environ, config.ChannelsOptional())
	flags := flag.NewFlagSet("rules", flag.ContinueOnError)
	flags.SetOutput(c.Stderr)
	kind := flags.String("kind", "", "文件类型，例如 flu；不设则全部 | kind of file, e.g. flu; empty: all")
	asJSON := flags.Bool("json", false, "以 JSON 输出 | print JSON")
	lang := flags.String("lang", "zh", "zh, en")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return exitUsage
	}
	library, err := loadStandards(cfg)
	if err != nil {
		fmt.Fprintln(c.Stderr, err)
		return exitUsage
	}
	rules := validate.Rules(library, upload.Kind(*kind))
	if len(rules) == 0 {
		fmt.Fprintf(c.Stderr, "没有文件类型 %q / there is no kind %q\n", *kind, *kind)
		return exitUsage
	}
	if *asJSON {
		err = report.WriteRulesJSON(c.Stdout, rules)
	} else {
		err = report.WriteRules(c.Stdout, phrase.Lang(*lang), rules)
	}
	if err != nil {
		return exitFailed
	}
	return exitOK
}

// stopping ends reading with its context.
type stopping struct {
	ctx context.Context //nolint:containedctx // lives as long as one read loop
	r   io.Reader
}

// Read implements io.Reader.
func (s stopping) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}
