// Package packet encodes and decodes CCSDS space packets (CCSDS 133.0-B) with
// a CUC time stamp (CCSDS 301.0-B) as their secondary header and a CRC-16 as
// packet error control in their last two octets. It is pure.
package packet
