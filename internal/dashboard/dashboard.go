package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

//go:embed web
var web embed.FS

// Policy is the Content-Security-Policy the pages run under.
const Policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

const wordPrefix = "ui."

// Asset is a file as it is sent; make one with [NewAsset]. It is kept packed: what
// does not take that gets it unpacked on the way.
type Asset struct {
	kind    string
	packed  []byte
	size    int // unpacked
	tag     string
	version string // of all parts together; empty: it has no address of its own for each
}

var assets = sync.OnceValue(func() map[string]Asset {
	all, err := load(web)
	if err != nil {
		panic("dashboard: embedded pages: " + err.Error()) // a test loads them; cannot happen in a release
	}
	return all
})

// scripts are what [bundle] is made of, in this order: they are several for who
// reads them, and one for a browser, which then waits for one answer.
func scripts() []string {
	return []string{"base.js", "overview.js", "uploads.js", "reports.js", "inside.js", "app.js"}
}

const bundle = "all.js"

func load(fsys fs.FS) (map[string]Asset, error) {
	contents, err := read(fsys)
	if err != nil {
		return nil, err
	}
	for _, name := range scripts() {
		contents[bundle] = append(contents[bundle], contents[name]...)
		delete(contents, name)
	}
	for _, lang := range phrase.Langs() {
		if contents["words."+string(lang)+".json"], err = json.Marshal(words(lang)); err != nil {
			return nil, err
		}
	}
	all, sum := map[string]Asset{}, sha256.New()
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		all[name] = NewAsset(name, contents[name])
		sum.Write(contents[name])
	}
	version := hex.EncodeToString(sum.Sum(nil)[:8])
	for name, a := range all {
		a.version = version
		all[name] = a
	}
	all[Page] = NewAsset(Page, firstPage(contents[Page], version))
	return all, nil
}

func read(fsys fs.FS) (map[string][]byte, error) {
	contents := map[string][]byte{}
	entries, err := fs.ReadDir(fsys, "web")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if contents[e.Name()], err = fs.ReadFile(fsys, path.Join("web", e.Name())); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

var toBeSaid = regexp.MustCompile(`data-t="([^"]+)">`)

// firstPage is the page with its words in Chinese, so that there is something to
// be seen before a script has run, and with the version of its parts, so that a
// browser keeps them until there are others.
func firstPage(page []byte, version string) []byte {
	page = bytes.ReplaceAll(page, []byte("VERSION"), []byte(version))
	return toBeSaid.ReplaceAllFunc(page, func(tag []byte) []byte {
		id := toBeSaid.FindSubmatch(tag)[1]
		return slices.Concat(tag, []byte(html.EscapeString(phrase.Text(phrase.Chinese, wordPrefix+string(id), nil))))
	})
}

// words are the page's words in a language, by their ids without the prefix.
func words(lang phrase.Lang) map[string]string {
	all := map[string]string{}
	for _, id := range phrase.IDs(wordPrefix) {
		all[strings.TrimPrefix(id, wordPrefix)] = phrase.Text(lang, id, nil)
	}
	return all
}

// kindOf is the media type by a name's ending. The machine's own table is not
// asked: machines differ in it, and it would stay in memory.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".json":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}

// NewAsset makes an asset of a content; the name says of what kind it is.
func NewAsset(name string, content []byte) Asset {
	sum := sha256.Sum256(content)
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a valid one
	_, _ = w.Write(content)                               // memory does not fail
	_ = w.Close()
	return Asset{kind: kindOf(name), packed: bytes.Clone(b.Bytes()), size: len(content), tag: `"` + hex.EncodeToString(sum[:8]) + `"`}
}

// Has reports whether there is an asset of that name.
func Has(name string) bool { _, ok := assets()[name]; return ok }

// Page is the name of the asset that "/" shows.
const Page = "index.html"

// Serve answers with the asset of that name. There must be such an asset; see [Has].
func Serve(w http.ResponseWriter, r *http.Request, name string) { assets()[name].Serve(w, r) }

// Serve answers with the asset: packed where the browser takes it, 304 where it
// has it already.
func (a Asset) Serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", Policy)
	h.Set("Cache-Control", "no-cache") // asked for again each time, sent again only when it has changed
	if a.version != "" && r.URL.Query().Get("v") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable") // others would have another address
	}
	h.Set("Etag", a.tag)
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("If-None-Match"), a.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(a.packed)))
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(a.packed) // a client that has left is nobody to tell
		return
	}
	h.Set("Content-Length", strconv.Itoa(a.size))
	w.WriteHeader(http.StatusOK)
	_ = a.unpack(w)
}

func (a Asset) unpack(w io.Writer) error {
	unpacked, err := gzip.NewReader(bytes.NewReader(a.packed))
	if err != nil {
		return err
	}
	_, err = io.Copy(w, unpacked) //nolint:gosec // what was packed here, of our own
	return err
}
