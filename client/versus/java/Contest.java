import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/**
 * Kafka's Java client, measured by the contract that ../README.md describes.
 *
 * Its settings, and why they are its best:
 *
 * - The virtual machine: the parallel collector, which costs the least CPU of those that keep up, with a heap of 512 MB.
 *   Both compilers, as by default; what they cost is part of what the client costs.
 * - produce: idempotent with acks from all, which are its defaults; linger.ms 5 and batch.size 1 MB are the contract's.
 *   max.request.size is raised to hold a batch of each of 8 partitions; buffer.memory is raised from 32 MB, and when it is
 *   full, send waits. One callback for all records, without an allocation of its own. Values are byte arrays, which the
 *   serializer hands on as they are.
 * - consume: max.poll.records is raised from 500 and max.partition.fetch.bytes from 1 MB. No commits.
 * - e2e: linger.ms 0; its default is 5.
 * - copy: one thread polls, sends, and commits every 100 ms, as Kafka's own documentation has it. The records of a
 *   transaction are sent with the byte arrays that were read.
 */
public class Contest {
    private static final String USAGE = "usage: produce BOOTSTRAP TOPIC RECORDS SIZE none|lz4|zstd|snappy|gzip [RATE]\n"
        + "     | consume BOOTSTRAP TOPIC RECORDS | e2e BOOTSTRAP TOPIC RECORDS RATE PARTITIONS"
        + " | copy BOOTSTRAP IN OUT RECORDS";
    private static final int BATCH_BYTES_MAX = 1_000_000;
    private static final AtomicLong errors = new AtomicLong();

    /** One for all records. */
    private static final Callback DELIVERED = (metadata, error) -> {
        if (error != null && errors.incrementAndGet() == 1) {
            System.err.println("not delivered: " + error);
        }
    };

    public static void main(String[] arguments) throws Exception {
        String[] a = arguments;
        if ((a.length == 6 || a.length == 7) && a[0].equals("produce")) {
            produce(a[1], a[2], number(a[3]), number(a[4]), a[5], a.length == 7 ? number(a[6]) : 0);
        } else if (a.length == 4 && a[0].equals("consume")) {
            consume(a[1], a[2], number(a[3]));
        } else if (a.length == 6 && a[0].equals("e2e")) {
            endToEnd(a[1], a[2], number(a[3]), number(a[4]), number(a[5]));
        } else if (a.length == 5 && a[0].equals("copy")) {
            copy(a[1], a[2], a[3], number(a[4]));
        } else {
            System.err.println(USAGE);
            System.exit(2);
        }
    }

    private static void produce(String bootstrap, String topic, int records, int size, String codec, int rate) {
        byte[][] values = clicks(size);
        Producer<byte[], byte[]> producer = producer(bootstrap, Map.of("linger.ms", 5, "compression.type", codec));
        Clock clock = new Clock();
        for (int number = 0; number < records; number++) {
            if (rate > 0) {
                waitUntil(clock.nanos + (long) (number * 1e9 / rate), 1_000_000);
            }
            producer.send(new ProducerRecord<>(topic, values[number % values.length]), DELIVERED);
        }
        producer.flush();
        clock.report("produce", records, Map.of());
    }

    private static void consume(String bootstrap, String topic, int records) {
        Clock startup = new Clock();
        KafkaConsumer<byte[], byte[]> consumer = consumer(bootstrap, "java-consume");
        consumer.subscribe(List.of(topic));
        Clock clock = null;
        Map<String, Double> extra = Map.of();
        int seen = 0;
        long bytes = 0;
        long ends = 0;
        while (seen < records) {
            ConsumerRecords<byte[], byte[]> batch = consumer.poll(Duration.ofMillis(100));
            if (clock == null && !batch.isEmpty()) {
                clock = new Clock();
                extra = Map.of(
                    "startup_seconds", (clock.nanos - startup.nanos) / 1e9,
                    "startup_cpu_seconds", (clock.cpuNanos - startup.cpuNanos) / 1e9);
            }
            for (ConsumerRecord<byte[], byte[]> record : batch) {
                byte[] value = record.value();
                bytes += value.length;
                ends += value[value.length - 1];
                seen++;
            }
        }
        if (bytes == 0 || ends == 0) {
            throw new IllegalStateException("records without values were read");
        }
        clock.report("consume", seen, extra);
    }

    private static void endToEnd(String bootstrap, String topic, int records, int rate, int partitions)
            throws InterruptedException {
        CountDownLatch assigned = new CountDownLatch(partitions);
        double[] latencies = new double[records];
        Thread reader = new Thread(() -> {
            KafkaConsumer<byte[], byte[]> consumer = consumer(bootstrap, "java-e2e");
            consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override public void onPartitionsRevoked(Collection<TopicPartition> gone) { }

                @Override public void onPartitionsAssigned(Collection<TopicPartition> now) {
                    now.forEach(partition -> assigned.countDown());
                }
            });
            int seen = 0;
            while (seen < records) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    long sent = ByteBuffer.wrap(record.value()).getLong();
                    // What is sent unmeasured has no time in it.
                    if (sent > 0) {
                        latencies[seen++] = (System.nanoTime() - sent) / 1e6;
                    }
                }
            }
        });
        reader.start();
        Producer<byte[], byte[]> producer = producer(bootstrap, Map.of("linger.ms", 0));
        producer.partitionsFor(topic);
        assigned.await();
        int unmeasured = 3 * rate;
        long begin = System.nanoTime();
        Clock clock = null;
        for (int number = 0; number < unmeasured + records; number++) {
            waitUntil(begin + number * 1_000_000_000L / rate, 0);
            if (number == unmeasured) {
                clock = new Clock();
            }
            byte[] value = new byte[100];
            if (number >= unmeasured) {
                ByteBuffer.wrap(value).putLong(System.nanoTime());
            }
            producer.send(new ProducerRecord<>(topic, number % partitions, null, value), DELIVERED);
        }
        reader.join();
        Map<String, Double> extra = new HashMap<>();
        Arrays.sort(latencies);
        extra.put("p50_ms", latencies[(int) (records * 0.5)]);
        extra.put("p90_ms", latencies[(int) (records * 0.9)]);
        extra.put("p99_ms", latencies[(int) (records * 0.99)]);
        extra.put("max_ms", latencies[records - 1]);
        clock.report("e2e", records, extra);
    }

    private static void copy(String bootstrap, String in, String out, int records) {
        KafkaConsumer<byte[], byte[]> consumer = consumer(bootstrap, "java-copy");
        Producer<byte[], byte[]> producer =
            producer(bootstrap, Map.of("linger.ms", 5, "transactional.id", "java-copy-" + System.nanoTime()));
        producer.initTransactions();
        consumer.subscribe(List.of(in));
        Clock clock = null;
        int seen = 0;
        while (seen < records) {
            producer.beginTransaction();
            long until = System.nanoTime() + 100_000_000;
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            for (long left; seen < records && (left = until - System.nanoTime()) > 0; ) {
                ConsumerRecords<byte[], byte[]> batch = consumer.poll(Duration.ofNanos(left));
                if (clock == null && !batch.isEmpty()) {
                    clock = new Clock();
                }
                for (ConsumerRecord<byte[], byte[]> record : batch) {
                    producer.send(new ProducerRecord<>(out, record.partition(), null, record.value()), DELIVERED);
                }
                seen += batch.count();
                offsets.putAll(batch.nextOffsets());
            }
            if (!offsets.isEmpty()) {
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
            }
            producer.commitTransaction();
        }
        clock.report("copy", seen, Map.of());
    }

    private static Producer<byte[], byte[]> producer(String bootstrap, Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(more);
        settings.put("bootstrap.servers", bootstrap);
        settings.put("batch.size", BATCH_BYTES_MAX);
        settings.put("max.request.size", 8 * 1024 * 1024);
        settings.put("buffer.memory", 64L * 1024 * 1024);
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String group) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", group + "-" + System.nanoTime());
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        settings.put("isolation.level", "read_committed");
        settings.put("max.poll.records", 10_000);
        settings.put("max.partition.fetch.bytes", 8 * 1024 * 1024);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** The 1,000 values that records are made of: the same bytes in every contestant. */
    private static byte[][] clicks(int size) {
        byte[][] values = new byte[1000][];
        for (int number = 0; number < values.length; number++) {
            StringBuilder click = new StringBuilder("{\"user_id\":")
                .append(number * 7_919L % 1_000_003).append(",\"cURL\":\"https://example.com/");
            long letter = number;
            while (click.length() + 2 < size) {
                letter = letter * 6_364_136_223_846_793_005L + 1_442_695_040_888_963_407L;
                click.append("abcdefghijklmnopqrstuvwxyz012345".charAt((int) (letter >>> 59)));
            }
            values[number] = Arrays.copyOf(click.append("\"}").toString().getBytes(StandardCharsets.UTF_8), size);
        }
        return values;
    }

    /** Waits for a moment, unless it is nearer than this. */
    private static void waitUntil(long nanos, long slackNanos) {
        for (long left; (left = nanos - System.nanoTime()) > slackNanos; ) {
            LockSupport.parkNanos(left);
        }
    }

    private static int number(String text) {
        int number = Integer.parseInt(text);
        if (number <= 0) {
            throw new IllegalArgumentException("'" + text + "' is not a positive number");
        }
        return number;
    }

    /** The clock and the CPU time of this process at one moment. */
    private static final class Clock {
        private final long nanos = System.nanoTime();
        private final long cpuNanos =
            ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();

        /** Prints the line of JSON, and ends the program: with 1 after errors. */
        void report(String mode, int records, Map<String, Double> extra) {
            Clock end = new Clock();
            double seconds = (end.nanos - nanos) / 1e9;
            StringBuilder line = new StringBuilder("{\"client\":\"java\",\"mode\":\"" + mode + "\"");
            line.append(",\"records\":").append(records);
            line.append(",\"seconds\":").append(seconds);
            line.append(",\"cpu_seconds\":").append((end.cpuNanos - cpuNanos) / 1e9);
            line.append(",\"records_per_second\":").append(records / seconds);
            line.append(",\"peak_rss_mb\":").append(peakRssMb());
            line.append(",\"errors\":").append(errors.get());
            extra.forEach((name, value) -> line.append(",\"").append(name).append("\":").append(value));
            System.out.println(line.append("}"));
            System.out.flush();
            Runtime.getRuntime().halt(errors.get() > 0 ? 1 : 0);
        }
    }

    /** The kernel's high water mark of this process. */
    private static double peakRssMb() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("VmHWM:")) {
                    return Long.parseLong(line.split("\\s+")[1]) / 1024.0;
                }
            }
        } catch (IOException error) {
            System.err.println(error);
        }
        return 0;
    }
}
