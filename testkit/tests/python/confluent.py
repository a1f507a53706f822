"""confluent-kafka against a cluster of three brokers: administration, writing, groups of the consumer protocol, transactions.

Prints what it sees, so that clusters can be compared.
"""

import sys
import time
from collections import Counter

from confluent_kafka import (
    OFFSET_BEGINNING,
    ConsumerGroupTopicPartitions,
    ConsumerGroupState,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Consumer,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)

BOOTSTRAP = sys.argv[1]
GROUP = "python"
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def answers(futures):
    """What became of each, by the names of errors."""
    found = {}
    for key, future in futures.items():
        try:
            found[str(key)] = future.result()
        except KafkaException as error:
            found[str(key)] = error.args[0].name()
    return sorted(found.items(), key=str)


def settled(look, is_right):
    """Real brokers hear of changes one after the other, and one that has not says that nothing is there."""
    deadline = time.monotonic() + 15
    while True:
        try:
            found = look()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
            continue
        if is_right(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def read(count, isolation, group=None, more=None):
    """So many records from the beginning, or whatever else is there within half a second."""
    configuration = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": group or "none",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": isolation,
    }
    if group:
        configuration["group.protocol"] = "consumer"
    consumer = Consumer(configuration)
    if group:
        consumer.subscribe(["py-in"])
    else:
        consumer.assign([TopicPartition(more, partition, OFFSET_BEGINNING) for partition in range(2)])
    seen = []
    deadline = time.monotonic() + 20
    while len(seen) < count and time.monotonic() < deadline:
        record = consumer.poll(0.2)
        if record is not None and record.error() is None:
            seen.append(record)
    if not group:
        extra = consumer.poll(0.5)
        if extra is not None and extra.error() is None:
            seen.append(extra)
    return consumer, seen


print("create", answers(admin.create_topics([
    NewTopic("py-in", 1, 3, config={"retention.ms": "3600000"}),
    NewTopic("py-out", 2, 3),
    NewTopic("py-wrong", 1, 3, config={"retention.mss": "1"}),
])))
print("again", answers(admin.create_topics([NewTopic("py-in", 1, 3)])))
settled(lambda: admin.list_topics().topics.keys(), lambda found: {"py-in", "py-out"} <= set(found))
time.sleep(0.3)
print("grow", answers(admin.create_partitions([NewPartitions("py-in", 2)])))
settled(lambda: len(admin.list_topics("py-in").topics["py-in"].partitions), lambda found: found == 2)
time.sleep(0.3)
cluster = admin.describe_cluster(include_authorized_operations=True).result()
print("cluster", sorted(node.id for node in cluster.nodes), cluster.controller is not None,
      sorted(operation.name for operation in cluster.authorized_operations))
described = settled(lambda: admin.describe_topics(TopicCollection(["py-in"]))["py-in"].result(),
                    lambda found: all(len(part.isr) == 3 for part in found.partitions))
print("topic", described.name, described.is_internal, [(part.id, len(part.replicas), len(part.isr)) for part in described.partitions])

resource = ConfigResource(ConfigResource.Type.TOPIC, "py-in", incremental_configs=[
    ConfigEntry("max.message.bytes", "2000000", incremental_operation=AlterConfigOpType.SET),
    ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
])
print("alter", [value for _, value in answers(admin.incremental_alter_configs([resource]))])


def configs():
    entries = list(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, "py-in")]).values())[0].result()
    return sorted((name, entry.value) for name, entry in entries.items() if not entry.is_default and entry.source == 1)


print("configs", settled(configs, lambda found: any(name == "cleanup.policy" for name, _ in found)))

delivered = []
producer = Producer({"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True, "compression.type": "lz4", "linger.ms": 5})
for number in range(100):
    producer.produce("py-in", key=f"key {number}", value=f"value {number}", partition=number % 2, headers={"number": str(number)},
                     on_delivery=lambda error, record: delivered.append((error, record.partition(), record.offset())))
producer.flush(20)
print("delivered", sorted(Counter(str(error) for error, _, _ in delivered).items()), [
    sorted(offset for _, part, offset in delivered if part == partition) == list(range(50)) for partition in range(2)])
try:
    producer.produce("py-in", value=b"x" * 2_000_001, partition=0)
except KafkaException as error:
    print("too large", error.args[0].name())

for round in range(2):
    consumer, seen = read(50, "read_committed", GROUP)
    print("read", len(seen))
    metadata = consumer.consumer_group_metadata()
    writer = Producer({"bootstrap.servers": BOOTSTRAP, "transactional.id": "python", "transaction.timeout.ms": 10000})
    writer.init_transactions(20)
    for commits in (False, True):
        writer.begin_transaction()
        for record in seen:
            writer.produce("py-out", key=record.key(), value=record.value(), partition=record.partition())
        offsets = {}
        for record in seen:
            offsets[record.partition()] = max(offsets.get(record.partition(), 0), record.offset() + 1)
        writer.send_offsets_to_transaction([TopicPartition("py-in", partition, offset) for partition, offset in offsets.items()], metadata, 20)
        if commits:
            writer.commit_transaction(20)
        else:
            writer.flush(20)
            writer.abort_transaction(20)
    if round == 0:
        group = admin.describe_consumer_groups([GROUP])[GROUP].result()
        print("group", group.group_id, group.state.name, group.type.name, group.partition_assignor,
              [(member.host, [str(part.topic) + str(part.partition) for part in member.assignment.topic_partitions]) for member in group.members])
    consumer.close()

reader, seen = read(100, "read_committed", more="py-out")
expected = sorted((number % 2, f"key {number}".encode(), f"value {number}".encode()) for number in range(100))
print("out", sorted((record.partition(), record.key(), record.value()) for record in seen) == expected)
reader.close()
reader, seen = read(200, "read_uncommitted", more="py-out")
print("all", len(seen))
reader.close()

groups = admin.list_consumer_groups(states={ConsumerGroupState.EMPTY}).result()
print("groups", [(found.group_id, found.type.name, found.state.name) for found in groups.valid if found.group_id == GROUP], groups.errors)
committed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)])[GROUP].result()
print("committed", sum(part.offset for part in committed.topic_partitions))


def ends():
    latest = {TopicPartition("py-in", partition): OffsetSpec.latest() for partition in range(2)}
    found = admin.list_offsets(latest, isolation_level=IsolationLevel.READ_COMMITTED)
    return [(part.partition, future.result().offset) for part, future in found.items()]


print("ends", settled(ends, lambda found: True))
reset = ConsumerGroupTopicPartitions(GROUP, [TopicPartition("py-in", 0, 7)])
print("reset", answers(admin.alter_consumer_group_offsets([reset]))[0][1].topic_partitions[0].offset)
print("removed", [(part.partition, future.result().low_watermark)
                  for part, future in admin.delete_records([TopicPartition("py-in", 0, 10)]).items()])
rule = AclBinding(ResourceType.TOPIC, "py-in", ResourcePatternType.LITERAL, "User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW)
print("rule", [value for _, value in answers(admin.create_acls([rule]))])
everything = AclBindingFilter(ResourceType.TOPIC, "py-in", ResourcePatternType.LITERAL, None, None, AclOperation.ANY, AclPermissionType.ANY)
print("rules", [str(found) for found in settled(lambda: admin.describe_acls(everything).result(), lambda found: found)])
print("rules gone", [len(value) for _, value in answers(admin.delete_acls([everything]))])
print("group gone", answers(admin.delete_consumer_groups([GROUP])))
print("gone", answers(admin.delete_topics(["py-in", "py-out", "py-never"])))
