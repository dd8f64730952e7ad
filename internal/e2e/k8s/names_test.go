package k8s

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// answerNames serves the names of Services, <service>.<namespace>.svc.cluster.local,
// where the node's pods ask for them. Other names are not known.
func answerNames(c *cluster) (io.Closer, error) {
	conn, err := net.ListenPacket("udp", node+":53")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			query := make([]byte, 1500)
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				return // closed
			}
			go func() {
				if answer, err := c.answer(query[:n]); err == nil {
					_, _ = conn.WriteTo(answer, from)
				}
			}()
		}
	}()
	return conn, nil
}

func (c *cluster) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	if len(m.Questions) != 1 {
		return nil, fmt.Errorf("%d questions", len(m.Questions))
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.RecursionAvailable, m.Additionals = true, true, true, nil
	ip, known := c.service(q.Name.String())
	switch {
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 5},
			Body:   &dnsmessage.AResource{A: ip.As4()},
		}}
	}
	return m.Pack()
}

func (c *cluster) service(name string) (netip.Addr, bool) {
	parts := strings.Split(strings.ToLower(name), ".")
	if len(parts) != 6 || strings.Join(parts[2:], ".") != "svc.cluster.local." {
		return netip.Addr{}, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var s struct {
		Spec struct {
			ClusterIP string `json:"clusterIP"`
		} `json:"spec"`
	}
	if ok, err := c.get(ctx, "/api/v1/namespaces/"+parts[1]+"/services/"+parts[0], &s); !ok || err != nil {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(s.Spec.ClusterIP)
	return ip, err == nil
}
