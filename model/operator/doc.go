// Package operator holds what passes between an operator and a controller: the
// requests, and the answers whose JSON is what `-o json` prints. It is pure.
//
// Every answer's fields keep their names and meaning: what is added is
// optional.
package operator
