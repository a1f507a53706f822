import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.CloseableIterator;
import org.apache.kafka.common.utils.Crc32C;

/**
 * Batches whose records stand in several compressed streams, or have something behind their stream, and what Kafka's own
 * reader makes of them: a line with the codec, the case, how many records it reads or why it stops, and the bytes.
 */
public class CodecTails {
    private static final int HEADER_BYTES = 61;

    public static void main(String[] arguments) throws Exception {
        byte[] records = records();
        byte[] first = Arrays.copyOf(records, records.length / 2);
        byte[] second = Arrays.copyOfRange(records, records.length / 2, records.length);
        for (CompressionType codec : new CompressionType[] {
            CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4, CompressionType.ZSTD
        }) {
            byte[] whole = compressed(codec, records);
            byte[] nothing = compressed(codec, new byte[0]);
            byte[] another = compressed(codec, second);
            Map<String, byte[]> cases = new LinkedHashMap<>();
            cases.put("one_stream", whole);
            cases.put("two_streams", join(compressed(codec, first), another));
            cases.put("three_streams", join(compressed(codec, first), nothing, another));
            cases.put("an_empty_stream_before", join(nothing, whole));
            cases.put("an_empty_stream_behind", join(whole, nothing));
            cases.put("a_stream_too_many", join(whole, another));
            cases.put("a_cut_stream_behind", join(whole, Arrays.copyOf(another, another.length - 3)));
            cases.put("the_head_of_a_stream_behind", join(whole, Arrays.copyOf(another, 6)));
            cases.put("a_zero_behind", join(whole, new byte[1]));
            cases.put("3_zeros_behind", join(whole, new byte[3]));
            cases.put("4_zeros_behind", join(whole, new byte[4]));
            cases.put("20_zeros_behind", join(whole, new byte[20]));
            cases.put("a_letter_behind", join(whole, bytes("x")));
            cases.put("text_behind", join(whole, bytes("what nobody wrote")));
            cases.put("a_skippable_frame_before", join(skippable(), whole));
            cases.put("a_skippable_frame_behind", join(whole, skippable()));
            cases.put("cut_by_1", Arrays.copyOf(whole, whole.length - 1));
            cases.put("cut_by_4", Arrays.copyOf(whole, whole.length - 4));
            cases.put("cut_by_9", Arrays.copyOf(whole, whole.length - 9));
            for (Map.Entry<String, byte[]> entry : cases.entrySet()) {
                byte[] batch = batch(codec, entry.getValue());
                System.out.println(
                    codec.name + " " + entry.getKey() + " " + read(batch) + " " + HexFormat.of().formatHex(batch));
            }
        }
    }

    /** Three records, not compressed. */
    private static byte[] records() {
        MemoryRecordsBuilder builder = builder(CompressionType.NONE);
        builder.append(1_000L, bytes("k"), bytes("first"));
        builder.append(1_001L, null, bytes("second ".repeat(9)));
        builder.append(1_002L, bytes("last"), bytes("third"));
        byte[] batch = bytes(builder.build());
        return Arrays.copyOfRange(batch, HEADER_BYTES, batch.length);
    }

    private static MemoryRecordsBuilder builder(CompressionType codec) {
        return MemoryRecords.builder(ByteBuffer.allocate(4096), RecordBatch.MAGIC_VALUE_V2,
            Compression.of(codec).build(), TimestampType.CREATE_TIME, 0L);
    }

    private static byte[] compressed(CompressionType codec, byte[] bytes) throws Exception {
        ByteBufferOutputStream buffer = new ByteBufferOutputStream(512);
        try (OutputStream stream = Compression.of(codec).build().wrapForOutput(buffer, RecordBatch.MAGIC_VALUE_V2)) {
            stream.write(bytes);
        }
        ByteBuffer written = buffer.buffer().duplicate().flip();
        byte[] compressed = new byte[written.remaining()];
        written.get(compressed);
        return compressed;
    }

    /** A batch of three records with this body: the header of one that Kafka wrote, made to go with it. */
    private static byte[] batch(CompressionType codec, byte[] body) {
        MemoryRecordsBuilder builder = builder(codec);
        builder.append(1_000L, bytes("k"), null);
        builder.append(1_001L, bytes("k"), null);
        builder.append(1_002L, bytes("k"), null);
        ByteBuffer batch = ByteBuffer.allocate(HEADER_BYTES + body.length);
        batch.put(bytes(builder.build()), 0, HEADER_BYTES).put(body);
        batch.putInt(8, HEADER_BYTES - 12 + body.length);
        batch.putInt(17, (int) Crc32C.compute(batch.array(), 21, batch.capacity() - 21));
        return batch.array();
    }

    private static String read(byte[] bytes) {
        int count = 0;
        RecordBatch batch = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches().iterator().next();
        batch.ensureValid();
        try (CloseableIterator<org.apache.kafka.common.record.internal.Record> records =
                batch.streamingIterator(BufferSupplier.create())) {
            while (records.hasNext()) {
                records.next();
                count++;
            }
            return "" + count;
        } catch (RuntimeException | Error refused) {
            return "refused";
        }
    }

    private static byte[] skippable() {
        return new byte[] {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'};
    }

    private static byte[] join(byte[]... parts) throws Exception {
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            joined.write(part);
        }
        return joined.toByteArray();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] bytes(MemoryRecords records) {
        byte[] bytes = new byte[records.buffer().remaining()];
        records.buffer().duplicate().get(bytes);
        return bytes;
    }
}
