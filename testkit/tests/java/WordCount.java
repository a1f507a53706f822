import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.Stores;

/**
 * Counts words, exactly once. The store is in memory, so each start restores it from its changelog. Closes at the end of its
 * input.
 */
public class WordCount {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        String name = arguments[1];
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("application.id", name);
        properties.put("state.dir", arguments[2]);
        properties.put("processing.guarantee", "exactly_once_v2");
        properties.put("replication.factor", "3");
        properties.put("commit.interval.ms", "100");
        // Every count is written, not only the last of an interval.
        properties.put("statestore.cache.max.bytes", "0");
        properties.put("repartition.purge.interval.ms", "100");
        properties.put("main.consumer.auto.offset.reset", "earliest");
        properties.put("main.consumer.session.timeout.ms", "6000");
        // Who is killed and comes back is known by this, and needs not be waited for.
        properties.put("main.consumer.group.instance.id", name);
        properties.put("producer.transaction.timeout.ms", "4000");

        StreamsBuilder builder = new StreamsBuilder();
        AtomicLong counted = new AtomicLong();
        builder.stream(name + "-lines", Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("store"))
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream()
            .mapValues(count -> Long.toString(count))
            .peek((word, count) -> {
                System.out.println("counted " + counted.incrementAndGet());
                pause(Integer.parseInt(arguments[3]));
            })
            .to(name + "-counts", Produced.with(Serdes.String(), Serdes.String()));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        AtomicLong restored = new AtomicLong();
        streams.setGlobalStateRestoreListener(new StateRestoreListener() {
            @Override
            public void onRestoreStart(TopicPartition partition, String store, long start, long end) { }

            @Override
            public void onBatchRestored(TopicPartition partition, String store, long end, long count) { }

            @Override
            public void onRestoreEnd(TopicPartition partition, String store, long count) {
                restored.addAndGet(count);
            }
        });
        streams.setUncaughtExceptionHandler(error -> {
            System.out.println("failed " + error);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            System.out.println("state " + now);
            if (now == KafkaStreams.State.RUNNING) {
                System.out.println("restored " + restored.get());
            }
        });
        streams.start();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        while (lines.readLine() != null) { }
        System.out.println("closed " + streams.close(Duration.ofSeconds(120)));
    }

    private static void pause(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }
}
