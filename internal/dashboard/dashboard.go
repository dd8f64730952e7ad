package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"path"
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

// Asset is a file in both forms it is sent in; make one with [NewAsset].
type Asset struct {
	kind        string
	plain, gzip []byte
	tag         string
}

var assets = sync.OnceValue(func() map[string]Asset {
	all, err := load(web)
	if err != nil {
		panic("dashboard: embedded pages: " + err.Error()) // a test loads them; cannot happen in a release
	}
	return all
})

func load(fsys fs.FS) (map[string]Asset, error) {
	all := map[string]Asset{}
	entries, err := fs.ReadDir(fsys, "web")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		content, err := fs.ReadFile(fsys, path.Join("web", e.Name()))
		if err != nil {
			return nil, err
		}
		all[e.Name()] = NewAsset(e.Name(), content)
	}
	for _, lang := range phrase.Langs() {
		content, err := json.Marshal(words(lang))
		if err != nil {
			return nil, err
		}
		name := "words." + string(lang) + ".json"
		all[name] = NewAsset(name, content)
	}
	return all, nil
}

// words are the page's words in a language, by their ids without the prefix.
func words(lang phrase.Lang) map[string]string {
	all := map[string]string{}
	for _, id := range phrase.IDs(wordPrefix) {
		all[strings.TrimPrefix(id, wordPrefix)] = phrase.Text(lang, id, nil)
	}
	return all
}

// NewAsset makes an asset of a content; the name says of what kind it is.
func NewAsset(name string, content []byte) Asset {
	sum := sha256.Sum256(content)
	a := Asset{kind: mime.TypeByExtension(path.Ext(name)), plain: content, tag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	switch path.Ext(name) { // not left to the machine's own table
	case ".js":
		a.kind = "text/javascript; charset=utf-8"
	case ".json":
		a.kind = "application/json"
	case ".svg":
		a.kind = "image/svg+xml"
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a valid one
	_, _ = w.Write(content)                               // memory does not fail
	_ = w.Close()
	a.gzip = b.Bytes()
	return a
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
	h.Set("Etag", a.tag)
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("If-None-Match"), a.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		body = a.gzip
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that has left is nobody to tell
}
