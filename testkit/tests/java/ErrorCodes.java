import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

/** Prints Kafka's error codes: number, name, whether it is retriable, whether metadata is out of date. */
public class ErrorCodes {
    public static void main(String[] arguments) {
        for (Errors error : Errors.values()) {
            System.out.println(error.code() + " " + error.name()
                + " " + (error.exception() instanceof RetriableException)
                + " " + (error.exception() instanceof InvalidMetadataException));
        }
    }
}
