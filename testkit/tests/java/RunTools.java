import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's tools one after the other, as their scripts would, within one process. Each line of its input names a class,
 * what that is to read on its standard input, and its arguments, with tabs between. The answer is what the tool printed, and
 * a line with its exit status.
 */
public class RunTools {
    /** What the tool that runs has printed, until it ended itself: some take what ends them here for an error, and say so. */
    private static ByteArrayOutputStream printed;
    private static byte[] printedAtEnd;
    private static int status;

    public static void main(String[] arguments) throws Exception {
        Exit.Procedure end = (code, message) -> {
            end(code);
            throw new Error("ended");
        };
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
        List<Runnable> hooks = new ArrayList<>();
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        PrintStream answers = System.out;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split("\t", -1);
            printed = new ByteArrayOutputStream();
            printedAtEnd = null;
            PrintStream capture = new PrintStream(printed, true, StandardCharsets.UTF_8);
            System.setOut(capture);
            System.setErr(capture);
            System.setIn(new ByteArrayInputStream(words[1].replace("\\n", "\n").getBytes(StandardCharsets.UTF_8)));
            run(words[0], Arrays.copyOfRange(words, 2, words.length), hooks);
            answers.write(printedAtEnd);
            answers.println();
            answers.println("status " + status);
            answers.flush();
        }
    }

    private static void run(String name, String[] arguments, List<Runnable> hooks) {
        hooks.clear();
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) arguments);
            hooks.forEach(Runnable::run);
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

    private static void end(int code) {
        if (printedAtEnd == null) {
            System.out.flush();
            printedAtEnd = printed.toByteArray();
            status = code;
        }
    }
}
