// Package providertest holds the suite that every provider passes, and what
// tests of machines need: a first process, a host of their own, and a record
// of what was there before.
//
// A test package that makes machines has this TestMain:
//
//	func TestMain(m *testing.M) {
//		sandbox.Init()
//		providertest.Init()
//		providertest.Alone(true)
//		os.Exit(m.Run())
//	}
package providertest
