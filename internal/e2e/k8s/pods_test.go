package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// pod is what the tests look at of a pod.
type pod struct {
	Metadata struct {
		Name    string            `json:"name"`
		UID     string            `json:"uid"`
		Labels  map[string]string `json:"labels"`
		Deleted string            `json:"deletionTimestamp"`
	} `json:"metadata"`
	Status struct {
		Phase      string `json:"phase"`
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"conditions"`
		Containers []container `json:"containerStatuses"`
		Init       []container `json:"initContainerStatuses"`
	} `json:"status"`
}

type container struct {
	Name     string         `json:"name"`
	Ready    bool           `json:"ready"`
	Restarts int            `json:"restartCount"`
	State    containerState `json:"state"`
	Last     containerState `json:"lastState"`
}

type containerState struct {
	Running    *struct{} `json:"running"`
	Terminated *ended    `json:"terminated"`
}

type ended struct {
	ExitCode int    `json:"exitCode"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
}

// sidecar is the sidecar's container, whichever kind it is.
func (p pod) sidecar() container {
	for _, c := range append(append([]container(nil), p.Status.Containers...), p.Status.Init...) {
		if c.Name == "hqms-sidecar" {
			return c
		}
	}
	return container{}
}

func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && p.Metadata.Deleted == ""
		}
	}
	return false
}

// sidecars are the pods with the sidecar in them, as they are now.
func (w *world) sidecars() []pod {
	w.t.Helper()
	var list struct {
		Items []pod `json:"items"`
	}
	_, err := kube.get(w.t.Context(), "/api/v1/namespaces/"+w.ns+"/pods", &list)
	must(w.t, err)
	var all []pod
	for _, p := range list.Items {
		if p.sidecar().Name != "" {
			all = append(all, p)
		}
	}
	return all
}

// one is the only pod with a sidecar that is not going.
func (w *world) one() pod {
	w.t.Helper()
	var found []pod
	process.Eventually(w.t, patience, "one pod is there", func() bool {
		found = found[:0]
		for _, p := range w.sidecars() {
			if p.Metadata.Deleted == "" && p.Status.Phase != "Succeeded" && p.Status.Phase != "Failed" {
				found = append(found, p)
			}
		}
		return len(found) == 1
	})
	return found[0]
}

// podLog is what happened to a namespace's pods, and when.
type podLog struct {
	mu   sync.Mutex
	seen []sighting
}

type sighting struct {
	at   time.Time
	kind string // ADDED, MODIFIED, DELETED
	pod  pod
}

// followPods notes every change of a pod until the test ends.
func followPods(t *testing.T, ns string) *podLog {
	t.Helper()
	l := &podLog{}
	ctx, cancel := context.WithCancel(context.Background())
	resp, err := kube.open(ctx, "/api/v1/namespaces/"+ns+"/pods?watch=1")
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer resp.Body.Close()
		d := json.NewDecoder(resp.Body)
		for {
			var e struct {
				Type   string `json:"type"`
				Object pod    `json:"object"`
			}
			if d.Decode(&e) != nil {
				return
			}
			l.mu.Lock()
			l.seen = append(l.seen, sighting{time.Now(), e.Type, e.Object})
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-over })
	return l
}

// of are the changes of one pod.
func (l *podLog) of(name string) []sighting {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []sighting
	for _, s := range l.seen {
		if s.pod.Metadata.Name == name {
			all = append(all, s)
		}
	}
	return all
}

// readyAfter is how long the sidecar's pod took from running to ready.
func (l *podLog) readyAfter(name string) time.Duration {
	var running time.Time
	for _, s := range l.of(name) {
		if running.IsZero() && s.pod.sidecar().State.Running != nil {
			running = s.at
		}
		if s.pod.ready() {
			return s.at.Sub(running)
		}
	}
	return -1
}

// end is how the sidecar's container of a pod ended; nil: it has not.
func (l *podLog) end(name string) (e *ended) {
	for _, s := range l.of(name) {
		if t := s.pod.sidecar().State.Terminated; t != nil {
			e = t
		}
	}
	return e
}

// fewestReady is the least number of ready sidecars at any moment after from.
func (l *podLog) fewestReady(from time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	ready, fewest, after := map[string]bool{}, -1, false
	for _, s := range l.seen {
		if s.pod.sidecar().Name == "" {
			continue
		}
		ready[s.pod.Metadata.Name] = s.kind != "DELETED" && s.pod.sidecar().Ready && s.pod.Metadata.Deleted == ""
		if after = after || s.at.After(from); !after {
			continue
		}
		n := 0
		for _, r := range ready {
			if r {
				n++
			}
		}
		if fewest < 0 || n < fewest {
			fewest = n
		}
	}
	return fewest
}

// pid finds the sidecar's process in a pod.
func (w *world) pid(p pod) int {
	w.t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cgroup")
	must(w.t, err)
	for _, file := range found {
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), p.Metadata.UID) {
			continue
		}
		if exe, err := os.Readlink(filepath.Join(filepath.Dir(file), "exe")); err == nil && filepath.Base(exe) == "hqms-sidecar" {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			must(w.t, err)
			return pid
		}
	}
	w.t.Fatalf("no process of pod %s", p.Metadata.Name)
	return 0
}

// memory is what the kubelet says of the sidecar's memory.
func (w *world) memory(p pod) (rss, working int64) {
	w.t.Helper()
	var summary struct {
		Pods []struct {
			Ref struct {
				Name string `json:"name"`
			} `json:"podRef"`
			Containers []struct {
				Name   string `json:"name"`
				Memory struct {
					RSS     int64 `json:"rssBytes"`
					Working int64 `json:"workingSetBytes"`
				} `json:"memory"`
			} `json:"containers"`
		} `json:"pods"`
	}
	_, err := kube.get(w.t.Context(), "/api/v1/nodes/node1/proxy/stats/summary", &summary)
	must(w.t, err)
	for _, q := range summary.Pods {
		for _, c := range q.Containers {
			if q.Ref.Name == p.Metadata.Name && c.Name == "hqms-sidecar" {
				return c.Memory.RSS, c.Memory.Working
			}
		}
	}
	return 0, 0
}

// explain logs what is known of a world whose test failed.
func (w *world) explain() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, args := range [][]string{
		{"get", "pods,pvc,deploy,job", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp", "-o", "custom-columns=KIND:.involvedObject.name,REASON:.reason,MESSAGE:.message"},
		{"logs", "--all-containers", "--tail=25", "--prefix", "-l", "app!=sandbox", "--ignore-errors"},
	} {
		out, err := kube.command(ctx, "", "kubectl", append([]string{"-n", w.ns}, args...)...)
		w.t.Log(fmt.Sprint(args, err, "\n", out))
	}
}
