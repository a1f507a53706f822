import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What tests of other programs do to topics: make, write, read and describe them.
 */
public class Topics {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[1];
        String topic = arguments[2];
        switch (arguments[0]) {
            case "create" -> create(bootstrap, topic, Integer.parseInt(arguments[3]));
            case "write" -> write(bootstrap, topic, Integer.parseInt(arguments[3]), Integer.parseInt(arguments[4]));
            case "read" -> read(bootstrap, topic, Integer.parseInt(arguments[3]));
            case "describe" -> describe(bootstrap, topic);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static void create(String bootstrap, String topic, int partitions) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 3))).all().get();
        }
    }

    /** Records with these numbers, from the first to before the last, by turns to all partitions. */
    private static void write(String bootstrap, String topic, int first, int last) throws Exception {
        Map<String, Object> properties = Map.of("bootstrap.servers", bootstrap, "linger.ms", 5);
        try (KafkaProducer<String, String> producer =
                 new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
            int partitions = producer.partitionsFor(topic).size();
            for (int number = first; number < last; number++) {
                producer.send(new ProducerRecord<>(topic, number % partitions, "key " + number, "word" + number % 7 + " word" + number % 3));
            }
        }
    }

    /** Everything that is committed, once there are so many records and no more come for a while. */
    private static void read(String bootstrap, String topic, int count) throws Exception {
        Map<String, Object> properties = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed",
            "enable.auto.commit", false);
        try (KafkaConsumer<String, String> consumer =
                 new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(found -> partitions.add(new TopicPartition(topic, found.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            int seen = 0;
            long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            long quiet = Long.MAX_VALUE;
            while (System.nanoTime() < Math.min(deadline, quiet)) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    System.out.println(record.partition() + "\t" + record.key() + "\t" + record.value());
                    seen++;
                }
                // Whatever is there too much would come now.
                if (seen >= count && quiet == Long.MAX_VALUE) {
                    quiet = System.nanoTime() + Duration.ofMillis(500).toNanos();
                }
            }
        }
    }

    /** All topics that begin so, with their settings, and whether anything has been removed from their beginnings. */
    private static void describe(String bootstrap, String start) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            for (String topic : new TreeSet<>(admin.listTopics().names().get())) {
                if (!topic.startsWith(start)) {
                    continue;
                }
                Map<TopicPartition, OffsetSpec> earliest = new HashMap<>();
                admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions()
                    .forEach(found -> earliest.put(new TopicPartition(topic, found.partition()), OffsetSpec.earliest()));
                long removed = admin.listOffsets(earliest).all().get().values().stream().mapToLong(found -> found.offset()).sum();
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
                Map<String, String> set = new TreeMap<>();
                for (ConfigEntry entry : config.entries()) {
                    if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                        set.put(entry.name(), entry.value());
                    }
                }
                System.out.println(topic + " partitions " + earliest.size() + " " + set + " removed " + (removed > 0));
            }
        }
    }
}
