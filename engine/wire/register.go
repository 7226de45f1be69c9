package wire

import (
	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
)

// Operator is all that an operator may ask: on the server what answers, on the
// client what asks.
type Operator struct {
	Models
	Statuses
	Applications
	Settings
	Units
	Relations
	Machines
	Operations
	Turns
	Tasks
	Orders
	Charms
	Controller
	Users
	Tokens
	Certificates
	Audits
	Logs
	Members
	History
	Queries
	Backups
	Checks
}

// NewOperatorClient speaks for an operator over a connection.
func NewOperatorClient(conn grpc.ClientConnInterface) Operator {
	return Operator{
		Models:       modelsClient{pb.NewModelsClient(conn)},
		Statuses:     statusesClient{pb.NewStatusesClient(conn)},
		Applications: applicationsClient{pb.NewApplicationsClient(conn)},
		Settings:     settingsClient{pb.NewSettingsClient(conn)},
		Units:        unitsClient{pb.NewUnitsClient(conn)},
		Relations:    relationsClient{pb.NewRelationsClient(conn)},
		Machines:     machinesClient{pb.NewMachinesClient(conn)},
		Operations:   operationsClient{pb.NewOperationsClient(conn)},
		Turns:        turnsClient{pb.NewTurnsClient(conn)},
		Tasks:        tasksClient{pb.NewTasksClient(conn)},
		Orders:       ordersClient{pb.NewOrdersClient(conn)},
		Charms:       charmsClient{pb.NewCharmsClient(conn)},
		Controller:   controllerClient{pb.NewControllerClient(conn)},
		Users:        usersClient{pb.NewUsersClient(conn)},
		Tokens:       tokensClient{pb.NewTokensClient(conn)},
		Certificates: certificatesClient{pb.NewCertificatesClient(conn)},
		Audits:       auditsClient{pb.NewAuditsClient(conn)},
		Logs:         logsClient{pb.NewLogsClient(conn)},
		Members:      membersClient{pb.NewMembersClient(conn)},
		History:      historyClient{pb.NewHistoryClient(conn)},
		Queries:      queriesClient{pb.NewQueriesClient(conn)},
		Backups:      backupsClient{pb.NewBackupsClient(conn)},
		Checks:       healthClient{pb.NewHealthClient(conn)},
	}
}

// Handlers answer everything that a controller serves.
type Handlers struct {
	Operator   Operator
	Agents     Agents
	Sessions   Sessions
	Artifacts  Artifacts
	Hosts      Hosts
	Joins      Joins
	Membership Membership
	Peers      Peers
	Vitals     Vitals
}

// Register serves h on a gRPC server.
func Register(s grpc.ServiceRegistrar, h Handlers) {
	pb.RegisterModelsServer(s, modelsServer{api: h.Operator.Models})
	pb.RegisterStatusesServer(s, statusesServer{api: h.Operator.Statuses})
	pb.RegisterApplicationsServer(s, applicationsServer{api: h.Operator.Applications})
	pb.RegisterSettingsServer(s, settingsServer{api: h.Operator.Settings})
	pb.RegisterUnitsServer(s, unitsServer{api: h.Operator.Units})
	pb.RegisterRelationsServer(s, relationsServer{api: h.Operator.Relations})
	pb.RegisterMachinesServer(s, machinesServer{api: h.Operator.Machines})
	pb.RegisterOperationsServer(s, operationsServer{api: h.Operator.Operations})
	pb.RegisterTurnsServer(s, turnsServer{api: h.Operator.Turns})
	pb.RegisterTasksServer(s, tasksServer{api: h.Operator.Tasks})
	pb.RegisterOrdersServer(s, ordersServer{api: h.Operator.Orders})
	pb.RegisterCharmsServer(s, charmsServer{api: h.Operator.Charms})
	pb.RegisterControllerServer(s, controllerServer{api: h.Operator.Controller})
	pb.RegisterUsersServer(s, usersServer{api: h.Operator.Users})
	pb.RegisterTokensServer(s, tokensServer{api: h.Operator.Tokens})
	pb.RegisterCertificatesServer(s, certificatesServer{api: h.Operator.Certificates})
	pb.RegisterAuditsServer(s, auditsServer{api: h.Operator.Audits})
	pb.RegisterLogsServer(s, logsServer{api: h.Operator.Logs})
	pb.RegisterMembersServer(s, membersServer{api: h.Operator.Members})
	pb.RegisterHistoryServer(s, historyServer{api: h.Operator.History})
	pb.RegisterQueriesServer(s, queriesServer{api: h.Operator.Queries})
	pb.RegisterBackupsServer(s, backupsServer{api: h.Operator.Backups})
	pb.RegisterMembershipServer(s, membershipServer{api: h.Membership})
	pb.RegisterPeersServer(s, peersServer{api: h.Peers})
	pb.RegisterHealthServer(s, healthServer{api: h.Operator.Checks})
	pb.RegisterVitalsServer(s, vitalsServer{api: h.Vitals})
	pb.RegisterAgentServer(s, agentServer{api: h.Agents, sessions: h.Sessions})
	pb.RegisterArtifactsServer(s, artifactsServer{api: h.Artifacts})
	pb.RegisterHostAgentServer(s, hostServer{api: h.Hosts})
	pb.RegisterJoinServer(s, joinServer{api: h.Joins})
}
