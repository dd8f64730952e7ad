package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	sessionCookie = "hqms_session"
	sessionTime   = 12 * time.Hour
	sessionHeader = "X-Hqms-Session" // a page of another origin cannot send it without being asked first
	sessionBody   = 4 << 10
)

// A session is a cookie "role.expiry.seal". The seal's key is the role's token,
// so a session survives restarts, holds at every replica, and ends when the
// token is changed; nothing is kept here.

// seal signs a role and an expiry with that role's token.
func (g *gatekeeper) seal(who role, expiry int64) string {
	token := g.tokens.Viewer()
	if who == operator {
		token = g.tokens.Operator()
	}
	key := sha256.Sum256([]byte("hqms-sidecar session key\x00" + token))
	mac := hmac.New(sha256.New, key[:])
	_, _ = mac.Write([]byte(who.String() + "." + strconv.FormatInt(expiry, 10))) // a hash does not fail
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// String names a role.
func (r role) String() string { return [...]string{"none", "viewer", "operator"}[r] }

// session is whose session the request's cookie is; a forged, changed or expired
// one is a stranger's.
func (g *gatekeeper) session(r *http.Request) role {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return stranger
	}
	parts := strings.Split(cookie.Value, ".")
	if len(parts) != 3 {
		return stranger
	}
	expiry, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || g.attempts.now().Unix() >= expiry {
		return stranger
	}
	for who, token := range map[role]string{operator: g.tokens.Operator(), viewer: g.tokens.Viewer()} {
		if token != "" && parts[0] == who.String() && hmac.Equal([]byte(parts[2]), []byte(g.seal(who, expiry))) {
			return who
		}
	}
	return stranger
}

// ownPage refuses what a page of another origin could have had the browser send.
func ownPage(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if r.Header.Get(sessionHeader) == "" || http.NewCrossOriginProtection().Check(r) != nil {
		return &problem{status: http.StatusForbidden, name: "cross-site"}
	}
	return nil
}

// sessionView is what a page needs to know of who looks at it.
type sessionView struct {
	Role    string `json:"role"`
	MayRead bool   `json:"may_read"`
	MayAct  bool   `json:"may_act"`
	// TimeZone is the one whose clocks and days the page shows: the program's, not
	// the browser's.
	TimeZone string `json:"time_zone"`
}

func (g *gatekeeper) show(who role) sessionView {
	open := g.tokens.Operator() == "" && g.tokens.Viewer() == ""
	return sessionView{Role: who.String(), MayRead: open || who != stranger, MayAct: who == operator, TimeZone: g.zoneName()}
}

// getSession says whose session it is.
func (g *gatekeeper) getSession(c echo.Context) error {
	return c.JSON(http.StatusOK, g.show(g.session(c.Request())))
}

// createSession makes a token a session.
func (g *gatekeeper) createSession(c echo.Context) error {
	if err := errors.Join(g.certified(c), ownPage(c.Request())); err != nil {
		return err
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, sessionBody))
	if err != nil {
		return err
	}
	var given struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(raw, &given) != nil { // its error would quote the body
		return &problem{status: http.StatusBadRequest, name: "bad-request", misfits: []misfit{{"body", "/token", "not a JSON object with a token"}}}
	}
	who, err := g.whose(c, strings.TrimSpace(given.Token))
	if err != nil {
		return err
	}
	if who == stranger {
		return &problem{status: http.StatusUnauthorized, name: "unauthorized"}
	}
	until := g.attempts.now().Add(sessionTime)
	c.SetCookie(ofSession(c, who.String()+"."+strconv.FormatInt(until.Unix(), 10)+"."+g.seal(who, until.Unix()), int(sessionTime/time.Second)))
	g.log.InfoContext(c.Request().Context(), "session began", "role", who.String(), "client", c.RealIP())
	return c.JSON(http.StatusOK, g.show(who))
}

// endSession has the browser forget its session.
func (g *gatekeeper) endSession(c echo.Context) error {
	if g.session(c.Request()) != stranger {
		if err := ownPage(c.Request()); err != nil {
			return err
		}
	}
	c.SetCookie(ofSession(c, "", -1))
	return c.JSON(http.StatusOK, g.show(stranger))
}

// ofSession is the cookie. A proxy's word that the browser speaks TLS can only
// make it stricter, so it is believed.
func ofSession(c echo.Context, value string, maxAge int) *http.Cookie {
	secure := c.Request().TLS != nil || strings.EqualFold(c.Request().Header.Get("X-Forwarded-Proto"), "https")
	return &http.Cookie{Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode} //nolint:gosec // Secure where the browser speaks TLS; in plain HTTP it would not come back
}
