// What Kafka's own classes answer for a request that failed: for every request of a file of golden messages, its name and
// version and the body of the response that `getErrorResponse` makes, in hex; `none` where Kafka makes none.
//
// Arguments: the file and the number of the error. Run by the tests, with Kafka's jars on the class path.

import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.HexFormat;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.requests.*;

public class ErrorReplies {
    public static void main(String[] arguments) throws Exception {
        Errors error = Errors.forCode(Short.parseShort(arguments[1]));
        StringBuilder out = new StringBuilder();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] words = line.split(" ", 4);
            if (!words[0].endsWith("Request")) continue;
            String name = words[0].substring(0, words[0].length() - "Request".length());
            short version = Short.parseShort(words[1].substring(1));
            ApiKeys api = null;
            for (ApiKeys key : ApiKeys.values()) if (key.name.equals(name)) api = key;
            out.append(name).append(' ').append(version).append(' ');
            out.append(answer(api, version, words[2].equals("-") ? "" : words[2], error)).append('\n');
        }
        System.out.print(out);
    }

    private static String answer(ApiKeys api, short version, String hex, Errors error) {
        try {
            ByteBuffer body = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
            AbstractRequest request = AbstractRequest.parseRequest(api, version, new ByteBufferAccessor(body)).request;
            AbstractResponse response = request.getErrorResponse(0, error.exception());
            if (response == null) return "none";
            ByteBuffer bytes = MessageUtil.toByteBufferAccessor(response.data(), version).buffer();
            return "x" + HexFormat.of().formatHex(MessageUtil.byteBufferToArray(bytes));
        } catch (Throwable thrown) {
            return "throws:" + thrown.getClass().getSimpleName() + ":" + String.valueOf(thrown.getMessage()).replace(' ', '_').replace('\n', '_');
        }
    }
}
