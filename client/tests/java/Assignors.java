import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Scanner;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * What Kafka's own assignors plan. Each line of the input is a group: the assignor, the topics with their partition
 * counts, then each member with its id, static name, topics and user data. Each line of the output is its plan.
 */
public class Assignors {
    public static void main(String[] arguments) {
        Scanner input = new Scanner(System.in);
        while (input.hasNextLine()) {
            System.out.println(plan(input.nextLine().split(";")));
        }
    }

    private static String plan(String[] group) {
        Node node = new Node(0, "localhost", 9092);
        List<PartitionInfo> partitions = new ArrayList<>();
        for (String topic : list(group[1])) {
            String[] parts = topic.split(":");
            for (int number = 0; number < Integer.parseInt(parts[1]); number++) {
                partitions.add(new PartitionInfo(parts[0], number, node, new Node[] {node}, new Node[] {node}));
            }
        }
        Map<String, Subscription> members = new TreeMap<>();
        for (String member : Arrays.asList(group).subList(2, group.length)) {
            String[] parts = member.split("/", -1);
            ByteBuffer userData = ByteBuffer.wrap(HexFormat.of().parseHex(parts[3]));
            Subscription subscription = new Subscription(list(parts[2]), userData);
            subscription.setGroupInstanceId(parts[1].isEmpty() ? Optional.empty() : Optional.of(parts[1]));
            members.put(parts[0], subscription);
        }
        Cluster cluster = new Cluster("cluster", List.of(node), partitions, Set.of(), Set.of());
        StringBuilder plan = new StringBuilder();
        new TreeMap<>(named(group[0]).assign(cluster, new GroupSubscription(members)).groupAssignment()).forEach(
            (member, assignment) -> {
                List<String> owned = new ArrayList<>();
                for (TopicPartition partition : assignment.partitions()) {
                    owned.add(partition.topic() + ":" + partition.partition());
                }
                owned.sort(null);
                plan.append(member).append('=').append(String.join(",", owned)).append(';');
            });
        return plan.toString();
    }

    private static ConsumerPartitionAssignor named(String name) {
        return switch (name) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static List<String> list(String text) {
        return text.isEmpty() ? List.of() : Arrays.asList(text.split(","));
    }
}
