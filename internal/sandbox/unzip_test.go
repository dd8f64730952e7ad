package sandbox

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func unpack(packed []byte, limit int64) (string, int64, error) {
	name, body, err := openPackage(bytes.NewReader(packed), int64(len(packed)), limit)
	if err != nil {
		return name, 0, err
	}
	defer body.Close()
	n, err := io.Copy(io.Discard, body)
	return name, n, err
}

// zipWith makes a zip of several headers, all with the same content.
func zipWith(t testing.TB, content string, headers ...zip.FileHeader) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, h := range headers {
		w, err := z.CreateHeader(&h)
		if err == nil && !strings.HasSuffix(h.Name, "/") {
			_, err = io.WriteString(w, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withMethod changes the compression method that both headers of a zip name.
func withMethod(packed []byte, method byte) []byte {
	packed = bytes.Clone(packed)
	packed[8] = method
	packed[bytes.LastIndex(packed, []byte("PK\x01\x02"))+10] = method
	return packed
}

func TestOnlyOnePlainEntryIsTaken(t *testing.T) {
	t.Parallel()
	gbk, _ := simplifiedchinese.GBK.NewEncoder().String("flu_流感.csv")
	deflated := func(name string) zip.FileHeader { return zip.FileHeader{Name: name, Method: zip.Deflate} }
	good := zipWith(t, "A\n1\n", deflated("flu_1.csv"))
	broken := bytes.Clone(good)
	broken[len("flu_1.csv")+localHeader+2] ^= 0xff
	for name, c := range map[string]struct {
		packed []byte
		want   error
		entry  string
	}{
		"plain":               {good, nil, "flu_1.csv"},
		"stored":              {zipWith(t, "A\n1\n", zip.FileHeader{Name: "flu_1.csv"}), nil, "flu_1.csv"},
		"a name in GBK":       {zipWith(t, "A\n", zip.FileHeader{Name: gbk, NonUTF8: true}), nil, "flu_流感.csv"},
		"two entries":         {zipWith(t, "A\n", deflated("flu_1.csv"), deflated("flu_2.csv")), errEntries, ""},
		"no entry":            {zipWith(t, ""), errEntries, ""},
		"a directory":         {zipWith(t, "", zip.FileHeader{Name: "flu_1.csv/"}), errEntries, ""},
		"up the tree":         {zipWith(t, "A\n", deflated("../flu_1.csv")), errEntryName, ""},
		"up a Windows tree":   {zipWith(t, "A\n", deflated(`..\flu_1.csv`)), errEntryName, ""},
		"an absolute name":    {zipWith(t, "A\n", deflated("/etc/passwd")), errEntryName, ""},
		"a drive":             {zipWith(t, "A\n", deflated("c:flu_1.csv")), errEntryName, ""},
		"dots":                {zipWith(t, "A\n", deflated("..")), errEntryName, ""},
		"an empty name":       {zipWith(t, "A\n", deflated("")), errEntryName, ""},
		"a control character": {zipWith(t, "A\n", deflated("flu_\x1b[2J.csv")), errEntryName, ""},
		"text turned around":  {zipWith(t, "A\n", deflated("flu_\u202evsc.exe")), errEntryName, ""},
		"a huge name":         {zipWith(t, "A\n", deflated("flu_"+strings.Repeat("a", 60_000)+".csv")), errEntryName, ""},
		"encrypted":           {zipWith(t, "A\n", zip.FileHeader{Name: "flu_1.csv", Flags: 1}), errEncrypted, "flu_1.csv"},
		"another method":      {withMethod(good, 99), errDamaged, "flu_1.csv"},
		"damaged inside":      {broken, errDamaged, "flu_1.csv"},
		"truncated":           {good[:len(good)-5], errNotZip, ""},
		"no zip":              {[]byte("P900,P6891\n"), errNotZip, ""},
		"empty":               {nil, errNotZip, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entry, _, err := unpack(c.packed, mebi)
			if !errors.Is(err, c.want) || entry != c.entry {
				t.Errorf("got %q, %v; want %q, %v", entry, err, c.entry, c.want)
			}
		})
	}
}

func TestABombIsStoppedAtTheLimit(t *testing.T) {
	t.Parallel()
	bomb := zipWith(t, strings.Repeat("0", 4*mebi), zip.FileHeader{Name: "flu_1.csv", Method: zip.Deflate})
	if _, _, err := openPackage(bytes.NewReader(bomb), int64(len(bomb)), mebi); !errors.Is(err, errTooLarge) {
		t.Errorf("an honest bomb was opened: %v", err)
	}
	// The same with a directory that claims 10 bytes.
	at := bytes.LastIndex(bomb, []byte("PK\x01\x02")) + 24
	binary.LittleEndian.PutUint32(bomb[at:], 10)
	if _, n, err := unpack(bomb, mebi); err == nil || n > mebi {
		t.Errorf("a bomb that lies: %d bytes, %v", n, err)
	}
	body := &bounded{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("0", 100))), left: 99}
	if n, err := io.Copy(io.Discard, body); !errors.Is(err, errTooLarge) || n > 99 {
		t.Errorf("bounded: %d bytes, %v", n, err)
	}
}

// tally counts the bytes read through it.
type tally struct {
	io.ReaderAt
	n int
}

func (c *tally) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.n += n
	return n, err
}

func TestADirectoryOfMillionsIsNotRead(t *testing.T) {
	t.Parallel()
	packed := zipWith(t, "", make([]zip.FileHeader, 60_000)...)
	in := &tally{ReaderAt: bytes.NewReader(packed)}
	if _, _, err := openPackage(in, int64(len(packed)), mebi); !errors.Is(err, errEntries) {
		t.Errorf("got %v", err)
	}
	if in.n > directoryBudget {
		t.Errorf("%d bytes of directory were read", in.n)
	}
}

func TestRottenPackagesFailAndHoldNothingUp(t *testing.T) {
	t.Parallel()
	r := start(t, Options{MaxUnpacked: 1000})
	bomb := zipOf(t, "flu_1.csv", strings.Repeat("0", 5000))
	for _, body := range [][]byte{[]byte("no zip at all"), bomb, zipOf(t, "../flu_1.csv", "A\n1\n")} {
		if rep := r.decode(r.post("/flu", r.token("/flu"), body, "")); !rep.Succ {
			t.Fatalf("%+v", rep)
		}
	}
	r.send("/flu", "flu_2.csv", "A\n1\n")
	for i, a := range r.settled(4) {
		want := Failed
		if i == 3 {
			want = Done
		}
		if a.Status != want || (want == Failed) != (a.Message != "") || (want == Failed && a.Verdict != upload.Rejected) {
			t.Errorf("%d: status %d, %s %q", i, a.Status, a.Verdict, a.Message)
		}
	}
}

func FuzzUploadBody(f *testing.F) {
	f.Add([]byte("PK\x03\x04"))
	f.Add(zipOf(f, "flu_1.csv", "A\n1\n"))
	f.Add(zipOf(f, strings.Repeat("流", 300), "A\n1\n"))
	f.Add(zipWith(f, "A", zip.FileHeader{Name: "a.csv"}, zip.FileHeader{Name: "b.csv"}))
	f.Fuzz(func(t *testing.T, body []byte) {
		peeked := peekName(body)
		name, n, err := unpack(body, mebi)
		if n > mebi || strings.ContainsAny(name+peeked, "/\\\x00\n") {
			t.Errorf("%d bytes, name %q, peeked %q", n, name, peeked)
		}
		for _, known := range []error{errNotZip, errEntries, errEntryName, errEncrypted, errTooLarge, errDamaged, nil} {
			if errors.Is(err, known) {
				return
			}
		}
		t.Errorf("an error without words: %v", err)
	})
}
