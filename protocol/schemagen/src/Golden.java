// Messages as Kafka's own classes write them: for every API and version, request and response, and for the headers, two
// random objects, each as a line `NAME vVERSION HEX JSON` on the standard output.
//
// The objects are made from random JSON along the schemas in the kafka-clients jar, by the generated `JsonConverter`
// classes; bytes and JSON are then written from the object. What is random follows from the name and the version alone, so
// a message that Kafka adds changes no other line. Run by the tests of schemagen and by
// `cargo run -p tidemill-schemagen`, with Kafka's jars on the class path.

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.*;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.protocol.types.RawTaggedField;

public class Golden {
    private static final JsonMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_JAVA_COMMENTS).build();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String[] WORDS = { "", "a", "topic-7", "h\u00f6lder", "\ud83e\udd80", "\"quoted\"\n\tline", "user_clicks" };
    /** No tag that a schema names is as high. */
    private static final int UNKNOWN_TAG_MIN = 100;

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (short version = 1; version <= 2; version++) {
            print(out, "RequestHeader", new RequestHeaderData(), version, version >= 2);
        }
        for (short version = 0; version <= 1; version++) {
            print(out, "ResponseHeader", new ResponseHeaderData(), version, version >= 1);
        }
        for (ApiMessageType api : ApiMessageType.values()) {
            for (int version = api.lowestSupportedVersion(); version <= api.highestSupportedVersion(false); version++) {
                short wanted = (short) version;
                // The response's header is flexible where the body is, save for ApiVersions; the request's says it for both.
                boolean flexible = api.requestHeaderVersion(wanted) >= 2;
                print(out, api.name + "Request", api.newRequest(), wanted, flexible);
                print(out, api.name + "Response", api.newResponse(), wanted, flexible);
            }
        }
        out.flush();
    }

    private static void print(PrintStream out, String name, ApiMessage empty, short version, boolean flexible) throws Exception {
        Class<?> converter = Class.forName(empty.getClass().getName() + "JsonConverter");
        for (boolean full : new boolean[] { true, false }) {
            Maker maker = new Maker(schema(name), version, full, new Random((name + version + full).hashCode()));
            ApiMessage message =
                (ApiMessage) converter.getMethod("read", JsonNode.class, short.class).invoke(null, maker.message(), version);
            if (flexible && !full && maker.random.nextInt(3) == 0) {
                RawTaggedField tag = new RawTaggedField(UNKNOWN_TAG_MIN + maker.random.nextInt(100_000), maker.bytes(5));
                message.unknownTaggedFields().add(tag);
            }
            ByteBufferAccessor bytes = MessageUtil.toByteBufferAccessor(message, version);
            ObjectNode json = (ObjectNode) converter.getMethod("write", empty.getClass(), short.class, boolean.class)
                .invoke(null, message, version, false);
            // The converters leave unknown tags out.
            for (RawTaggedField tag : message.unknownTaggedFields()) {
                json.put("tag " + tag.tag(), tag.data());
            }
            String hex = HexFormat.of().formatHex(MessageUtil.byteBufferToArray(bytes.buffer().duplicate()));
            out.println(name + " v" + version + " " + (hex.isEmpty() ? "-" : hex) + " " + JSON.writeValueAsString(json));
        }
    }

    private static JsonNode schema(String name) throws Exception {
        try (InputStream schema = ClassLoader.getSystemResourceAsStream("common/message/" + name + ".json")) {
            return JSON.readTree(schema);
        }
    }

    /** Random JSON of one message in one version: full with something in every field, or with anything anywhere. */
    private record Maker(JsonNode schema, short version, boolean full, Random random) {
        JsonNode message() {
            return structure(schema.get("fields"));
        }

        private ObjectNode structure(JsonNode fields) {
            ObjectNode json = NODES.objectNode();
            for (JsonNode field : fields) {
                boolean tagged = within(field.path("taggedVersions"));
                if (within(field.get("versions")) && !(tagged && !full && random.nextBoolean())) {
                    String name = field.get("name").asText();
                    json.set(Character.toLowerCase(name.charAt(0)) + name.substring(1), value(field));
                }
            }
            return json;
        }

        private JsonNode value(JsonNode field) {
            if (!full && within(field.path("nullableVersions")) && random.nextInt(4) == 0) {
                return NODES.nullNode();
            }
            String type = field.get("type").asText();
            if (!type.startsWith("[]")) {
                return element(type, field);
            }
            ArrayNode array = NODES.arrayNode();
            for (int left = full ? 1 : random.nextInt(3); left > 0; left--) {
                array.add(element(type.substring(2), field));
            }
            return array;
        }

        private JsonNode element(String type, JsonNode field) {
            switch (type) {
                case "bool": return NODES.booleanNode(full || random.nextBoolean());
                case "int8": return NODES.numberNode((byte) number());
                case "int16": return NODES.numberNode((short) number());
                case "uint16": return NODES.numberNode((int) number() & 0xffff);
                case "int32": return NODES.numberNode((int) number());
                case "int64": return NODES.numberNode(number());
                case "float64": return NODES.numberNode((double) number() / 1024);
                case "uuid": return NODES.textNode(new Uuid(random.nextLong(), random.nextLong()).toString());
                case "string": return NODES.textNode(text());
                case "bytes": case "records": return NODES.binaryNode(bytes(full ? 8 : 12));
            }
            JsonNode fields = field.get("fields");
            for (JsonNode shared : schema.path("commonStructs")) {
                if (shared.get("name").asText().equals(type)) {
                    fields = shared.get("fields");
                }
            }
            return structure(fields);
        }

        /** Of all sizes, so that each type has numbers at its ends, small ones and negative ones. */
        private long number() {
            return full ? 1 + random.nextInt(100) : random.nextLong() >> random.nextInt(64);
        }

        private String text() {
            if (full) {
                return WORDS[1 + random.nextInt(WORDS.length - 1)];
            }
            // Lengths from 127 bytes on take a second byte as a varint.
            return random.nextInt(50) == 0 ? "x".repeat(125 + random.nextInt(4)) : WORDS[random.nextInt(WORDS.length)];
        }

        byte[] bytes(int end) {
            byte[] bytes = new byte[full ? end : random.nextInt(end)];
            random.nextBytes(bytes);
            return bytes;
        }

        /** Whether a range such as `none`, `3`, `3-7` or `3+` has the version. */
        private boolean within(JsonNode range) {
            String text = range.asText("none");
            if (text.isEmpty() || text.equals("none")) {
                return false;
            }
            String[] ends = text.replace("+", "-" + Short.MAX_VALUE).split("-");
            return Short.parseShort(ends[0]) <= version && version <= Short.parseShort(ends[ends.length - 1]);
        }
    }
}
