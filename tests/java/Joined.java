import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.apicurio.registry.serde.avro.AvroSerde;
import java.util.Properties;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.KTable;

/** Runs the document's topology, which is put in place of RECIPE, and prints what the table of its pairs becomes. */
public final class Joined {
    /** Arguments: brokers, the registry's own API, the application's id, a folder for its state. */
    public static void main(String[] arguments) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("apicurio.registry.url", arguments[1]);
        settings.put("apicurio.registry.auto-register", "true");
        settings.put("application.id", arguments[2]);
        settings.put("state.dir", arguments[3]);
        settings.put("default.key.serde", AvroSerde.class);
        settings.put("default.value.serde", AvroSerde.class);
        settings.put("isolation.level", "read_committed");
        settings.put("commit.interval.ms", "200");
        StreamsBuilder builder = new StreamsBuilder();

        RECIPE

        pairs.toStream().foreach((key, text) -> {
            JsonNode row = new ObjectMapper().createArrayNode()
                .add(key.get("id").toString()).add(key.get("locale").toString()).add(text);
            System.out.println("pair " + row);
        });
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
