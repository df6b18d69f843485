"""The ports that each protocol may be dialed at on the public internet.

A protocol that is not listed may not be dialed at all. An operator's rules (`EgressAllow`) bring
their own ports. The list is closed, or a check would be a scanner of ports: each row names whose
the port is and where that is documented. Databases prove their protocol before anything else
happens, so they may also be dialed where hosting vendors assign ports at random.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

IANA: Final = "https://www.iana.org/assignments/service-names-port-numbers"
"""The registry of port numbers: the source of a row without another one."""


@dataclass(frozen=True, slots=True)
class PortRow:
    """`ports` of one owner, by the documentation at `source`."""

    ports: range
    owner: str
    source: str = IANA


def _row(first: int, owner: str, source: str = IANA, *, last: int | None = None) -> PortRow:
    return PortRow(range(first, (last or first) + 1), owner, source)


_DIGITALOCEAN: Final = "https://docs.digitalocean.com/products/databases/"
_RANDOM: Final = (
    _row(10_000, "Aiven", "https://aiven.io/docs/platform/reference", last=65_535),
    _row(10_000, "Railway", "https://docs.railway.com/reference/tcp-proxy", last=65_535),
    _row(10_000, "Timescale", "https://docs.tigerdata.com/getting-started/latest/", last=65_535),
)
"""Vendors that give each service a port of its own."""

_POSTGRES: Final = (
    _row(5432, "PostgreSQL"),
    _row(5433, "PostgreSQL beside another one; YugabyteDB", "https://docs.yugabyte.com/stable/"),
    _row(5439, "Amazon Redshift", "https://docs.aws.amazon.com/redshift/latest/mgmt/"),
    _row(6432, "PgBouncer", "https://www.pgbouncer.org/config.html"),
    _row(6543, "Supabase", "https://supabase.com/docs/guides/database/connecting-to-postgres"),
    _row(25_060, "DigitalOcean", _DIGITALOCEAN, last=25_061),
    _row(26_257, "CockroachDB", "https://www.cockroachlabs.com/docs/stable/connection-parameters"),
)
_REDSHIFT_PORTS: Final = (
    "https://docs.aws.amazon.com/sdk-for-kotlin/api/latest/redshift/"
    "aws.sdk.kotlin.services.redshift.model/-modify-cluster-request/port.html"
)
_REDSHIFT: Final = (
    _row(5431, "Amazon Redshift", _REDSHIFT_PORTS, last=5455),
    _row(8191, "Amazon Redshift", _REDSHIFT_PORTS, last=8215),
)
"""Those that a cluster may be given. Only the kind that proves the protocol may dial them all."""
_MYSQL: Final = (
    _row(3306, "MySQL"),
    _row(
        3307, "MySQL beside another one; Cloud SQL's proxies", "https://cloud.google.com/sql/docs/"
    ),
    _row(4000, "TiDB Cloud", "https://docs.pingcap.com/tidbcloud/"),
    _row(6033, "ProxySQL", "https://proxysql.com/documentation/global-variables/mysql-variables/"),
    _row(6446, "MySQL Router", "https://dev.mysql.com/doc/mysql-router/8.4/en/", last=6447),
    _row(25_060, "DigitalOcean", _DIGITALOCEAN, last=25_061),
)
_REDIS: Final = (
    _row(6379, "Redis"),
    _row(6380, "Azure Cache for Redis", "https://learn.microsoft.com/azure/azure-cache-for-redis/"),
    _row(25_061, "DigitalOcean", _DIGITALOCEAN),
)
_MONGODB: Final = (
    _row(27_015, "MongoDB Atlas", "https://www.mongodb.com/docs/atlas/", last=27_019),
)
_SQLSERVER: Final = (
    _row(1433, "Microsoft SQL Server"),
    _row(3342, "Azure SQL Managed Instance", "https://learn.microsoft.com/azure/azure-sql/"),
)
_SMTP: Final = (
    _row(25, "SMTP"),
    _row(465, "Submissions (SMTP within TLS)"),
    _row(587, "Submission"),
    _row(2525, "SendGrid, Mailgun, Postmark", "https://postmarkapp.com/developer/user-guide"),
    _row(2465, "Amazon SES", "https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html"),
    _row(2587, "Amazon SES", "https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html"),
)
_IMAP: Final = (_row(143, "IMAP"), _row(993, "IMAP within TLS"))
_FTP: Final = (_row(21, "FTP"), _row(990, "FTP within TLS"))
_POP3: Final = (_row(110, "POP3"), _row(995, "POP3 within TLS"))
_LDAP: Final = (
    _row(389, "LDAP"),
    _row(636, "LDAP within TLS"),
    _row(
        3268, "Microsoft's global catalog", "https://learn.microsoft.com/windows-server/", last=3269
    ),
)
_SSH: Final = (
    _row(22, "SSH and SFTP"),
    _row(2222, "SFTP of hosting vendors", "https://docs.couchdrop.io/"),
)
_MSK: Final = "https://docs.aws.amazon.com/msk/latest/developerguide/port-info.html"
_KAFKA: Final = (
    _row(9092, "Apache Kafka, Confluent", "https://kafka.apache.org/documentation", last=9094),
    *(_row(port, "Amazon MSK", _MSK) for port in (9096, 9098, 9194, 9196, 9198)),
)
_MQTT: Final = (_row(1883, "MQTT"), _row(8883, "MQTT within TLS"))
_AMQP: Final = (_row(5671, "AMQP within TLS"), _row(5672, "AMQP"))
_NEO4J: Final = _row(7687, "Neo4j", "https://neo4j.com/docs/operations-manual/current/")
_CASSANDRA: Final = (
    _row(9042, "Apache Cassandra", "https://cassandra.apache.org/doc/latest/"),
    _row(9142, "Amazon Keyspaces", "https://docs.aws.amazon.com/keyspaces/latest/devguide/"),
)
_WEB: Final = (
    _row(80, "HTTP"),
    _row(443, "HTTPS"),
    _row(8080, "HTTP, alternative"),
    _row(8443, "HTTPS, alternative; ClickHouse Cloud", "https://clickhouse.com/docs/"),
    _row(3000, "Grafana, Metabase", "https://grafana.com/docs/grafana/latest/setup-grafana/"),
    _row(4646, "Nomad", "https://developer.hashicorp.com/nomad/docs/configuration"),
    _row(5601, "Kibana", "https://www.elastic.co/docs/reference/kibana"),
    _row(5678, "n8n", "https://docs.n8n.io/hosting/"),
    _row(5984, "CouchDB", "https://docs.couchdb.org/en/stable/config/http.html"),
    _row(6333, "Qdrant", "https://qdrant.tech/documentation/cloud/cluster-access/", last=6334),
    _row(
        6443, "Kubernetes", "https://kubernetes.io/docs/reference/networking/ports-and-protocols/"
    ),
    _row(6984, "CouchDB", "https://docs.couchdb.org/en/stable/config/http.html"),
    _row(7473, "Neo4j", "https://neo4j.com/docs/operations-manual/current/"),
    _row(7700, "Meilisearch", "https://www.meilisearch.com/docs/"),
    _row(8000, "Chroma, Kong", "https://docs.konghq.com/gateway/latest/", last=8001),
    _row(8065, "Mattermost", "https://docs.mattermost.com/"),
    _row(8086, "InfluxDB", "https://docs.influxdata.com/influxdb/v2/reference/"),
    _row(8088, "Splunk's collector; Superset", "https://docs.splunk.com/Documentation/Splunk"),
    _row(8089, "Splunk", "https://docs.splunk.com/Documentation/Splunk"),
    _row(8108, "Typesense", "https://typesense.org/docs/"),
    _row(8123, "ClickHouse", "https://clickhouse.com/docs/guides/sre/network-ports"),
    _row(8200, "Vault", "https://developer.hashicorp.com/vault/docs/configuration"),
    _row(8444, "Kong", "https://docs.konghq.com/gateway/latest/"),
    _row(8500, "Consul", "https://developer.hashicorp.com/consul/docs/reference", last=8501),
    _row(8529, "ArangoDB", "https://docs.arangodb.com/stable/"),
    _row(8834, "Nessus", "https://docs.tenable.com/nessus/"),
    _row(8983, "Solr", "https://solr.apache.org/guide/"),
    _row(9000, "MinIO, SonarQube", "https://min.io/docs/"),
    _row(9090, "Prometheus", "https://prometheus.io/docs/prometheus/latest/"),
    _row(9091, "Milvus", "https://milvus.io/docs/"),
    _row(9200, "Elasticsearch, OpenSearch", "https://www.elastic.co/docs/reference/elasticsearch"),
    _row(
        9243,
        "Elastic Cloud",
        "https://www.elastic.co/guide/en/cloud-enterprise/current/ece-administering-endpoints.html",
    ),
    _row(9443, "Portainer, Keycloak, WSO2", "https://docs.portainer.io/"),
    _row(15_671, "RabbitMQ", "https://www.rabbitmq.com/docs/management", last=15_672),
    _row(
        18_091, "Couchbase", "https://docs.couchbase.com/server/current/install/install-ports.html"
    ),
    _row(19_530, "Milvus", "https://milvus.io/docs/"),
    _row(25_060, "DigitalOcean", _DIGITALOCEAN),
)
_GRPC: Final = (
    _row(443, "HTTPS"),
    _row(50_051, "gRPC's own examples", "https://grpc.io/docs/"),
    _row(6334, "Qdrant", "https://qdrant.tech/documentation/cloud/cluster-access/"),
    _row(7233, "Temporal", "https://docs.temporal.io/cloud/"),
    _row(19_530, "Milvus", "https://milvus.io/docs/"),
)
_WITHIN_TLS: Final = (
    _row(853, "DNS within TLS"),
    _row(1433, "Microsoft SQL Server"),
    _row(6697, "IRC within TLS"),
)

_DATABASES: Final = (*_POSTGRES, *_MYSQL, *_REDIS, *_MONGODB, *_KAFKA)
_REDIS_PORTS: Final = "https://redis.io/docs/latest/operate/rs/networking/port-configurations/"
_REDIS_CLOUD: Final = _row(10_000, "Redis Cloud", _REDIS_PORTS, last=19_999)

PORTS: Final[Mapping[str, tuple[PortRow, ...]]] = {
    "http": _WEB,
    "grpc": (*_GRPC, *_WEB),
    "postgres": (*_POSTGRES, *_REDSHIFT, *_RANDOM),
    "mysql": (*_MYSQL, *_RANDOM),
    "redis": (*_REDIS, _REDIS_CLOUD, *_RANDOM),
    "mongodb": (*_MONGODB, *_RANDOM),
    "sqlserver": _SQLSERVER,
    "smtp": _SMTP,
    "imap": _IMAP,
    "ldap": _LDAP,
    "sftp": _SSH,
    "kafka": (*_KAFKA, *_RANDOM),
    # These two prove only that a port is open: random ports are not for them.
    "tcp": (
        *(*_DATABASES, *_SQLSERVER, *_CASSANDRA, _NEO4J),
        *(*_SMTP, *_IMAP, *_POP3, *_LDAP, *_SSH, *_MQTT, *_AMQP),
    ),
    "tls": (
        *(*_DATABASES, *_CASSANDRA, _NEO4J, *_WEB, *_WITHIN_TLS),
        *(*_SMTP, *_IMAP, *_POP3, *_FTP, *_LDAP, *_MQTT, *_AMQP),
    ),
}


def may_dial(protocol: str, port: int) -> bool:
    """Whether `protocol` may be dialed at `port` of any public address."""
    return any(port in row.ports for row in PORTS.get(protocol, ()))
