import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.record.internal.*;

/**
 * Message sets of magic 0 and 1 by Kafka's own writer, and what Kafka's own reader says of them: a line with the name
 * and the bytes of each, then a line per record with its offset, timestamp, key and value.
 */
public class LegacyRecords {
    public static void main(String[] arguments) {
        for (byte magic = 0; magic < 2; magic++) {
            for (CompressionType codec : new CompressionType[] {
                CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4
            }) {
                TimestampType clock = magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME;
                print("magic" + magic + "_" + codec.name, write(magic, codec, clock));
            }
        }
        print("magic1_none_append_time", write((byte) 1, CompressionType.NONE, TimestampType.LOG_APPEND_TIME));
        print("magic1_lz4_append_time", write((byte) 1, CompressionType.LZ4, TimestampType.LOG_APPEND_TIME));
    }

    private static MemoryRecords write(byte magic, CompressionType codec, TimestampType clock) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(
            ByteBuffer.allocate(4096), magic, Compression.of(codec).build(), clock, 7, 1_500_000_009_999L);
        long time = magic == 0 ? RecordBatch.NO_TIMESTAMP : 1_500_000_000_000L;
        long step = magic == 0 ? 0 : 10;
        builder.append(time, bytes("k"), bytes("first"));
        builder.append(time + 2 * step, null, bytes("no key"));
        builder.append(time + step, bytes("gone"), null);
        builder.append(time + 3 * step, new byte[0], new byte[0]);
        builder.append(time + 3 * step, bytes("long"), bytes("x".repeat(300)));
        return builder.build();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void print(String name, MemoryRecords records) {
        ByteBuffer buffer = records.buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        System.out.println(name + " " + HexFormat.of().formatHex(bytes));
        for (org.apache.kafka.common.record.internal.Record record : records.records()) {
            System.out.println("  " + record.offset() + " " + record.timestamp()
                + " " + hex(record.key()) + " " + hex(record.value()));
        }
    }

    private static String hex(ByteBuffer buffer) {
        if (buffer == null) {
            return "null";
        }
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return "=" + HexFormat.of().formatHex(bytes);
    }
}
