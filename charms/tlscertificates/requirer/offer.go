package requirer

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Offer is the secret, by ID, from which the client of a relation learns whom
// to trust, as secret-tls has it, once it is made. Another authority is another
// secret, as a secret never changes.
func (c Certificate) Offer(in effect.Input, b *sdk.Builder, r effect.Relation) (id string, made bool) {
	name := fmt.Sprintf("trust-%d-%s", r.ID, sdk.Digest(c.Trust))
	b.Secret(effect.SecretSpec{
		Name: name, Scope: effect.ApplicationScope, Grants: []model.RelationID{r.ID},
		Fields: map[string]effect.SecretField{"tls": {Content: sdk.Text("true")}, "tls-ca": {Content: sdk.Text(c.Trust)}},
	})
	secret, made := sdk.SecretNamed(in, name)
	return secret.ID, made
}
