// Package physician measures, all the time, what the controllers need to
// succeed each other: that each reaches every other and every agent each of
// them, clocks, disks and copies. It has package observe judge that, and tells
// when it comes to another opinion. A fault that nobody sees by itself is told
// within half a minute.
package physician
