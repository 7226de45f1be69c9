// Package live holds what a controller knows only while it leads: the latest
// report of each unit, when each agent was last heard, how far machines are,
// and the tail of the log. Agents say it again to whoever leads next.
package live
