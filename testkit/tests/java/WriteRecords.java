import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes to a broker what is to be found in its files, and prints it: a line per record with its topic, offset,
 * timestamp, key, value and headers.
 */
public class WriteRecords {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            NewTopic compacted = new NewTopic("compacted", 1, (short) 1).configs(Map.of(
                "cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "segment.ms", "100",
                "min.compaction.lag.ms", "0", "max.compaction.lag.ms", "1000", "segment.bytes", "1048576"));
            NewTopic stamped = new NewTopic("stamped", 1, (short) 1)
                .configs(Map.of("message.timestamp.type", "LogAppendTime"));
            admin.createTopics(List.of(new NewTopic("plain", 1, (short) 1), new NewTopic("transactional", 1, (short) 1),
                compacted, stamped)).all().get();
        }
        for (String codec : arguments[1].split(",")) {
            try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, Map.of("compression.type", codec))) {
                for (int number = 0; number < 20; number++) {
                    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>("plain", 0, 1_700_000_000_000L - 7 * number,
                        number % 3 == 0 ? null : bytes("key-" + number), number % 5 == 4 ? null : bytes("value ".repeat(number)));
                    if (number % 2 == 0) {
                        record.headers().add("x", bytes("1")).add("x", null).add("x", bytes("")).add("h\u00f6her", bytes("2"));
                    }
                    send(producer, record);
                }
                send(producer, new ProducerRecord<>("stamped", 0, 5L, bytes(codec), bytes("the broker's clock")));
            }
        }
        try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, Map.of("transactional.id", "t"))) {
            producer.initTransactions();
            for (boolean commits : new boolean[] {true, false, true}) {
                producer.beginTransaction();
                for (int number = 0; number < 3; number++) {
                    Future<RecordMetadata> sent = producer.send(
                        new ProducerRecord<>("transactional", 0, 1000L + number, bytes("k"), bytes("commits: " + commits)));
                    producer.flush();
                    print(sent.get(), new ProducerRecord<>("transactional", 0, 1000L + number, bytes("k"), bytes("commits: " + commits)));
                }
                if (commits) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
        }
        try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, Map.of("linger.ms", "50"))) {
            for (int round = 0; round < 3; round++) {
                Map<ProducerRecord<byte[], byte[]>, Future<RecordMetadata>> sent = new HashMap<>();
                for (int number = 0; number < 10; number++) {
                    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>("compacted", 0, System.currentTimeMillis(),
                        bytes("k" + number % (4 + 3 * round)), bytes("round " + round));
                    sent.put(record, producer.send(record));
                }
                producer.flush();
                for (Map.Entry<ProducerRecord<byte[], byte[]>, Future<RecordMetadata>> entry : sent.entrySet()) {
                    print(entry.getValue().get(), entry.getKey());
                }
                Thread.sleep(200);
            }
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(String bootstrap, Map<String, String> more) {
        Map<String, Object> options = new HashMap<>(more);
        options.put("bootstrap.servers", bootstrap);
        return new KafkaProducer<>(options, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, ProducerRecord<byte[], byte[]> record) throws Exception {
        Future<RecordMetadata> sent = producer.send(record);
        print(sent.get(), record);
    }

    private static void print(RecordMetadata place, ProducerRecord<byte[], byte[]> record) {
        StringBuilder line = new StringBuilder(record.topic() + " " + place.offset() + " " + place.timestamp()
            + " " + text(record.key()) + " " + text(record.value()));
        for (Header header : record.headers()) {
            line.append(" ").append(header.key()).append(":").append(text(header.value()));
        }
        System.out.println(line);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return bytes == null ? "null" : "\"" + new String(bytes, StandardCharsets.UTF_8) + "\"";
    }
}
