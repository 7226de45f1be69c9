package interfaces

// said drops the keys that say nothing.
func said(bag map[string]string) map[string]string {
	for key, value := range bag {
		if value == "" {
			delete(bag, key)
		}
	}
	return bag
}
