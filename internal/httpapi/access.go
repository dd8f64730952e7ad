package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// access is who may call an operation, least first.
type access int

const (
	public  access = iota // anybody: probes
	scraped               // anybody while no viewer's token is configured: metrics
	viewed                // viewer and operator; anybody while no token is configured
	operated
)

// role is what a request's token stands for.
type role int

const (
	stranger role = iota // no token, or a wrong one
	viewer
	operator
)

// gatekeeper lets a request through, or refuses it.
type gatekeeper struct {
	operations operations
	tokens     Tokens
	attempts   *attempts
	needCert   bool // a verified client certificate is needed
	log        *slog.Logger
	zoneName   func() string
}

// guard is the middleware. It also answers for addresses and methods that are
// not in the document, so that nothing without a rule is ever reached.
func (g *gatekeeper) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		op, err := g.operations.find(c)
		if err != nil {
			return err
		}
		if err := g.admit(c, op); err != nil {
			return err
		}
		if op.access != operated {
			return next(c)
		}
		err = next(c)
		g.log.InfoContext(c.Request().Context(), "operator call", "operation", op.id, "path", c.Request().URL.Path, "client", c.RealIP(), "succeeded", err == nil)
		return err
	}
}

func (g *gatekeeper) admit(c echo.Context, op *operation) error {
	if op.access == public {
		return nil
	}
	if err := g.certified(c); err != nil {
		return err
	}
	who, err := g.recognise(c)
	if err != nil {
		return err
	}
	operatorSet, viewerSet := g.tokens.Operator() != "", g.tokens.Viewer() != ""
	switch {
	case op.access == operated && !operatorSet:
		return &problem{status: http.StatusForbidden, name: "operator-token-not-configured"}
	case op.access == operated && who == viewer:
		return &problem{status: http.StatusForbidden, name: "operator-token-needed"}
	case op.access == operated && who == operator,
		op.access == viewed && (who != stranger || !operatorSet && !viewerSet),
		op.access == scraped && (who != stranger || !viewerSet):
		return nil
	default:
		return &problem{status: http.StatusUnauthorized, name: "unauthorized"}
	}
}

// certified refuses a connection that lacks the certificate it needs.
func (g *gatekeeper) certified(c echo.Context) error {
	if tls := c.Request().TLS; g.needCert && (tls == nil || len(tls.VerifiedChains) == 0) {
		return &problem{status: http.StatusForbidden, name: "client-certificate-needed"}
	}
	return nil
}

// recognise finds out who calls: by the token the request carries, else by its
// session.
func (g *gatekeeper) recognise(c echo.Context) (role, error) {
	if token := bearer(c.Request().Header); token != "" {
		return g.whose(c, token)
	}
	who := g.session(c.Request())
	if who == stranger {
		return stranger, nil
	}
	return who, ownPage(c.Request())
}

// whose finds out whose token it is. A wrong token counts against the client's
// address; an address with too many is not listened to, whatever it sends, until
// its allowance has grown again.
func (g *gatekeeper) whose(c echo.Context, token string) (role, error) {
	client := c.RealIP()
	if wait := g.attempts.blocked(client); wait > 0 {
		return stranger, &problem{status: http.StatusTooManyRequests, name: "too-many-requests", detail: "too many wrong tokens from this address", retryAfter: wait}
	}
	isOperator, isViewer := equal(token, g.tokens.Operator()), equal(token, g.tokens.Viewer())
	switch {
	case isOperator:
		return operator, nil
	case isViewer:
		return viewer, nil
	case g.tokens.Operator() == "" && g.tokens.Viewer() == "":
		return stranger, nil // nothing to guess
	}
	g.attempts.failed(client)
	g.log.WarnContext(c.Request().Context(), "wrong api token", "client", client, "route", c.Path())
	return stranger, nil
}

// bearer is the token of the Authorization header; empty if there is none.
func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// equal compares in a time that tells nothing about either token. A token that
// is not configured equals nothing.
func equal(given, configured string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(configured))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && configured != ""
}
