package operate

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gantry-orchestrator/gantry/model"
)

// metadataVersion is the feature that names what records of the metadata there
// may be.
const metadataVersion = "metadata.version"

// Finalize lets the cluster use the metadata that all brokers understand, and
// returns from which level to which it went.
func (c Cluster) Finalize(ctx context.Context) (from, to int16, err error) {
	err = c.administer(func(admin *kadm.Client) error {
		all, err := admin.ApiVersions(ctx)
		if err != nil {
			return err
		}
		if from, to, err = levels(all); err != nil || from == to {
			return err
		}
		answers, err := admin.UpdateFeatures(ctx, false, kadm.FeatureUpdate{Feature: metadataVersion, MaxVersionLevel: to, UpgradeType: 1})
		if err != nil {
			return err
		}
		return answers.Error()
	})
	return from, to, err
}

// levels are the level in use and the highest that every broker supports.
func levels(all kadm.BrokersApiVersions) (used, supported int16, err error) {
	for i, broker := range all.Sorted() {
		if broker.Err != nil {
			return 0, 0, fmt.Errorf("broker %d does not say what it supports: %w: %w", broker.NodeID, broker.Err, model.ErrUnavailable)
		}
		at := slices.IndexFunc(broker.Raw().SupportedFeatures, func(f kmsg.ApiVersionsResponseSupportedFeature) bool { return f.Name == metadataVersion })
		if at < 0 {
			return 0, 0, fmt.Errorf("broker %d names no %s: %w", broker.NodeID, metadataVersion, model.ErrInvalid)
		}
		if highest := broker.Raw().SupportedFeatures[at].MaxVersion; i == 0 || highest < supported {
			supported = highest
		}
		for _, f := range broker.Raw().FinalizedFeatures {
			if f.Name == metadataVersion {
				used = f.MaxVersionLevel
			}
		}
	}
	return used, supported, nil
}
