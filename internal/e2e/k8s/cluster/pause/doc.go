// Command pause is the first process of every pod on the test's cluster: it holds
// the pod's namespaces and reaps what is left to it.
package main
