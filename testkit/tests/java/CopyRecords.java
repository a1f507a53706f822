import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Copies a topic to another in transactions that also commit the offsets; every third or so is aborted on purpose. One thread
 * for each group protocol. Each says when it has committed so many records, and when it has reached the end of its input.
 */
public class CopyRecords {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        String name = arguments[1];
        Thread end = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException error) {
                System.out.println("failed " + error);
            }
            Runtime.getRuntime().halt(0);
        });
        end.start();
        for (String protocol : new String[] {"classic", "consumer"}) {
            new Thread(() -> {
                try {
                    copy(bootstrap, name, protocol, Long.parseLong(arguments[2]), Integer.parseInt(arguments[3]));
                } catch (Exception error) {
                    System.out.println("failed " + protocol + " " + error);
                    error.printStackTrace(System.out);
                }
            }).start();
        }
    }

    private static void copy(String bootstrap, String name, String protocol, long seed, int pause) throws Exception {
        Random random = new Random(seed);
        Map<String, Object> reads = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed",
            "enable.auto.commit", false, "auto.offset.reset", "earliest", "group.id", name + "-" + protocol,
            "group.protocol", protocol, "max.poll.records", 40));
        if (protocol.equals("classic")) {
            reads.put("session.timeout.ms", 6000);
            reads.put("group.instance.id", name);
        }
        Map<String, Object> writes = Map.of("bootstrap.servers", bootstrap, "transactional.id", name + "-" + protocol,
            "transaction.timeout.ms", 10_000, "linger.ms", 1);
        try (KafkaConsumer<String, String> consumer =
                 new KafkaConsumer<>(reads, new StringDeserializer(), new StringDeserializer());
             KafkaProducer<String, String> producer =
                 new KafkaProducer<>(writes, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            consumer.subscribe(List.of(name + "-in"));
            long copied = 0;
            boolean finished = false;
            while (true) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
                if (!records.isEmpty()) {
                    producer.beginTransaction();
                    boolean committed = false;
                    try {
                        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                        for (ConsumerRecord<String, String> record : records) {
                            producer.send(new ProducerRecord<>(name + "-" + protocol, record.partition(), record.key(), record.value()));
                            offsets.put(new TopicPartition(record.topic(), record.partition()),
                                new OffsetAndMetadata(record.offset() + 1));
                        }
                        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                        if (random.nextInt(3) > 0) {
                            producer.commitTransaction();
                            committed = true;
                        } else {
                            producer.flush();
                        }
                    } catch (ProducerFencedException error) {
                        throw error;
                    } catch (CommitFailedException error) {
                        System.out.println("rebalanced " + protocol);
                    } catch (KafkaException error) {
                        System.out.println("aborts " + protocol + " " + error);
                    }
                    if (committed) {
                        copied += records.count();
                        System.out.println("copied " + protocol + " " + copied);
                    } else {
                        producer.abortTransaction();
                        back(consumer);
                    }
                    Thread.sleep(pause);
                } else if (!finished && isAtEnd(consumer, name + "-in")) {
                    finished = true;
                    System.out.println("finished " + protocol);
                }
            }
        }
    }

    /** To where the group has committed. */
    private static void back(KafkaConsumer<String, String> consumer) {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
        for (TopicPartition partition : consumer.assignment()) {
            OffsetAndMetadata offset = committed.get(partition);
            try {
                consumer.seek(partition, offset == null ? 0 : offset.offset());
            } catch (IllegalStateException error) {
                // It has just been taken away: whoever has it next begins at what is committed.
                System.out.println("moved " + error.getMessage());
            }
        }
    }

    /** Not before all of the topic is assigned: a member that was killed keeps its partitions until its session ends. */
    private static boolean isAtEnd(KafkaConsumer<String, String> consumer, String topic) {
        if (consumer.assignment().size() < consumer.partitionsFor(topic).size()) {
            return false;
        }
        Map<TopicPartition, Long> ends = consumer.endOffsets(consumer.assignment());
        try {
            return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
        } catch (IllegalStateException error) {
            // One has just been taken away.
            return false;
        }
    }
}
