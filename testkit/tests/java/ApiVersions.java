import org.apache.kafka.common.protocol.ApiKeys;

/**
 * Prints Kafka's APIs: number, name, the oldest and the newest version that it promises to keep, and the newest of which it
 * has a draft.
 */
public class ApiVersions {
    public static void main(String[] arguments) {
        for (ApiKeys api : ApiKeys.values()) {
            System.out.println(api.id + " " + api.name + " " + api.oldestVersion()
                + " " + api.latestVersion(false) + " " + api.latestVersion(true));
        }
    }
}
