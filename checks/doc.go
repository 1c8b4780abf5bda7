// Package checks holds the words that everything in Lifeline is said in.
//
// Data flows one way:
//
//	Pod  --observe-->  Facts  --judge-->  Report  --> surfaces
//
// A [Pod] is the world around the process: its environment, its
// service-account directory, its resolv.conf. [Facts] are what was seen of it
// and nothing more. A [Report] is the verdict. Package observe turns the first
// into the second and is the only one that does I/O; package judge turns the
// second into the third and is pure.
//
// There is one file a link here, in observe and in judge, by the name of its
// check: environment, dns, token, ca, tls, api, kubectlproxy.
package checks
