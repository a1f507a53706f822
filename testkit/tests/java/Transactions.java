import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/**
 * Transactions by the Java client: commit, abort, offsets of a group and fencing. Prints what readers see after each.
 */
public class Transactions {
    private static String bootstrap;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        try (Admin admin = Admin.create(properties())) {
            admin.createTopics(List.of(
                new NewTopic("in", 1, (short) 1), new NewTopic("out", 2, (short) 1))).all().get();
        }
        try (Producer<String, String> plain = producer(null)) {
            for (int number = 0; number < 10; number++) {
                plain.send(new ProducerRecord<>("in", "in " + number)).get();
            }
        }
        Producer<String, String> first = producer("job");
        first.initTransactions();
        for (int round = 0; round < 6; round++) {
            first.beginTransaction();
            for (int number = 0; number < 3; number++) {
                first.send(new ProducerRecord<>("out", number % 2, null, "round " + round + " number " + number));
            }
            first.flush();
            if (round % 3 == 1) {
                first.abortTransaction();
            } else {
                first.commitTransaction();
            }
        }
        System.out.println("committed " + read("read_committed", "out"));
        System.out.println("all " + read("read_uncommitted", "out"));

        for (boolean committed : new boolean[] {false, true}) {
            try (KafkaConsumer<String, String> consumer = consumer("read_committed", "readers")) {
                consumer.subscribe(List.of("in"));
                List<String> seen = new ArrayList<>();
                Map<TopicPartition, OffsetAndMetadata> offsets = Map.of(
                    new TopicPartition("in", 0), new OffsetAndMetadata(4, "four"));
                while (seen.size() < 10) {
                    consumer.poll(Duration.ofMillis(200)).forEach(record -> seen.add(record.value()));
                }
                first.beginTransaction();
                first.send(new ProducerRecord<>("out", 0, null, "with offsets " + committed));
                first.flush();
                first.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                if (committed) {
                    first.commitTransaction();
                } else {
                    first.abortTransaction();
                }
            }
            settle();
            try (Admin admin = Admin.create(properties())) {
                System.out.println("offsets " + admin.listConsumerGroupOffsets("readers",
                    new ListConsumerGroupOffsetsOptions().requireStable(true)).partitionsToOffsetAndMetadata().get());
            }
        }

        first.beginTransaction();
        first.send(new ProducerRecord<>("out", 0, null, "of a zombie")).get();
        Producer<String, String> second = producer("job");
        second.initTransactions();
        try {
            first.send(new ProducerRecord<>("out", 0, null, "of a zombie, later")).get();
            first.commitTransaction();
            System.out.println("not fenced");
        } catch (ExecutionException | KafkaException error) {
            Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
            System.out.println("fenced " + cause.getClass().getSimpleName());
        }
        first.close(Duration.ZERO);
        second.beginTransaction();
        second.send(new ProducerRecord<>("out", 1, null, "of its successor"));
        second.commitTransaction();
        second.beginTransaction();
        second.commitTransaction();
        second.beginTransaction();
        second.abortTransaction();
        second.close();
        System.out.println("committed " + read("read_committed", "out"));
        System.out.println("all " + read("read_uncommitted", "out"));
    }

    /** Waits until all partitions know how the last transaction has ended. */
    private static void settle() throws Exception {
        try (Admin admin = Admin.create(properties())) {
            TransactionState state;
            do {
                Thread.sleep(20);
                state = admin.describeTransactions(List.of("job")).description("job").get().state();
            } while (state == TransactionState.PREPARE_COMMIT || state == TransactionState.PREPARE_ABORT);
        }
    }

    private static List<String> read(String isolation, String topic) throws Exception {
        settle();
        try (KafkaConsumer<String, String> consumer = consumer(isolation, null)) {
            List<TopicPartition> partitions = List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            List<String> seen = new ArrayList<>();
            while (!partitions.stream().allMatch(partition -> consumer.position(partition) >= ends.get(partition))) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    seen.add(record.partition() + "@" + record.offset() + " " + record.value());
                }
            }
            seen.sort(null);
            seen.add("to " + new java.util.TreeMap<>(Map.of(
                0, ends.get(partitions.get(0)), 1, ends.get(partitions.get(1)))));
            return seen;
        }
    }

    private static Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        return properties;
    }

    private static Producer<String, String> producer(String transactionalId) {
        Properties properties = properties();
        if (transactionalId != null) {
            properties.put("transactional.id", transactionalId);
        }
        return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    }

    private static KafkaConsumer<String, String> consumer(String isolation, String group) {
        Properties properties = properties();
        properties.put("isolation.level", isolation);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        if (group != null) {
            properties.put("group.id", group);
        }
        return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }
}
