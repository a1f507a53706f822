import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's tools one after the other, as their scripts would, within one process. Each line of its input names a class,
 * what that is to read on its standard input, and its arguments, with tabs between. The answer is what the tool printed; a
 * line with that of it that was on the standard output; and a line with its exit status.
 */
public class RunTools {
    /** What the tool that runs has printed, until it ended itself: some take what ends them here for an error, and say so. */
    private static ByteArrayOutputStream printed;
    private static byte[] printedAtEnd;
    private static ByteArrayOutputStream output;
    private static byte[] outputAtEnd;
    private static int status;
    /** What the tool wants to be run as it ends: some write the last of their records there. */
    private static final List<Runnable> hooks = new ArrayList<>();

    public static void main(String[] arguments) throws Exception {
        Exit.setExitProcedure((code, message) -> {
            runHooks();
            end(code);
            throw new Error("ended");
        });
        Exit.setHaltProcedure((code, message) -> {
            end(code);
            throw new Error("ended");
        });
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        PrintStream answers = System.out;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split("\t", -1);
            printed = new ByteArrayOutputStream();
            printedAtEnd = null;
            PrintStream capture = new PrintStream(printed, true, StandardCharsets.UTF_8);
            output = new ByteArrayOutputStream();
            System.setOut(new PrintStream(new Both(output, capture), true, StandardCharsets.UTF_8));
            System.setErr(capture);
            System.setIn(new ByteArrayInputStream(words[1].replace("\\n", "\n").getBytes(StandardCharsets.UTF_8)));
            run(words[0], Arrays.copyOfRange(words, 2, words.length));
            answers.write(printedAtEnd);
            answers.println();
            answers.println(new String(outputAtEnd, StandardCharsets.UTF_8).replace("\n", "\\n"));
            answers.println("status " + status);
            answers.flush();
        }
    }

    /** Writes to two streams. */
    private static final class Both extends OutputStream {
        private final OutputStream one;
        private final OutputStream other;

        private Both(OutputStream one, OutputStream other) {
            this.one = one;
            this.other = other;
        }

        @Override
        public void write(int value) throws IOException {
            one.write(value);
            other.write(value);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            one.write(bytes, offset, length);
            other.write(bytes, offset, length);
        }

        @Override
        public void flush() throws IOException {
            other.flush();
        }
    }

    private static void run(String name, String[] arguments) {
        hooks.clear();
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) arguments);
            runHooks();
            end(0);
        } catch (InvocationTargetException error) {
            if (printedAtEnd == null) {
                System.out.println("Exception in thread \"main\" " + error.getCause());
            }
            end(1);
        } catch (ReflectiveOperationException error) {
            System.out.println(error);
            end(1);
        }
    }

    private static void runHooks() {
        List<Runnable> once = new ArrayList<>(hooks);
        hooks.clear();
        once.forEach(Runnable::run);
    }

    private static void end(int code) {
        if (printedAtEnd == null) {
            System.out.flush();
            printedAtEnd = printed.toByteArray();
            outputAtEnd = output.toByteArray();
            status = code;
        }
    }
}
