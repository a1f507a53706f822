// franz-go, measured by the contract that ../README.md describes.
//
// Its settings, and why they are its best:
//
//   - produce: idempotent with acks from all, which are its defaults. ProducerLinger 5 ms and ProducerBatchMaxBytes 1 MB are
//     the contract's. MaxBufferedRecords is raised from 10,000, which one batch of 100-byte records fills; when it is full,
//     Produce waits, so nothing is dropped. Records come from a pool and go back to it in their promise, as its
//     documentation of Produce suggests; the promise is one function for all, without a closure for each. The partitioner
//     is UniformBytes, its default, over as many bytes as a batch may have: with the default 64 KiB a batch of 1 MB is
//     never filled.
//   - consume: PollFetches, and a pool for the slices of records (WithPools), which takes the garbage collector's part away.
//     FetchMaxPartitionBytes is raised from 1 MiB, as an answer then takes more batches of one partition. No commits.
//   - e2e: ProducerLinger 0 (its default is 10 ms) and ManualPartitioner; a client each for the producer and the consumer,
//     each with the connections its kind needs.
//   - copy: GroupTransactSession, its road for consume, change, produce. A record that was read is sent on as it is, without
//     an allocation, and goes back to the pool when it is acknowledged.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const usage = "usage: franz-go produce BOOTSTRAP TOPIC RECORDS SIZE none|lz4|zstd|snappy|gzip [RATE]\n" +
	"     | consume BOOTSTRAP TOPIC RECORDS | e2e BOOTSTRAP TOPIC RECORDS RATE PARTITIONS | copy BOOTSTRAP IN OUT RECORDS"

const (
	batchBytesMax   = 1_000_000
	bufferedRecords = 200_000
)

func main() {
	arguments := os.Args[1:]
	if len(arguments) < 4 {
		fail("%s", usage)
	}
	seeds := kgo.SeedBrokers(strings.Split(arguments[1], ",")...)
	switch mode, rest := arguments[0], arguments[2:]; {
	case mode == "produce" && (len(rest) == 4 || len(rest) == 5):
		rate := 0
		if len(rest) == 5 {
			rate = number(rest[4])
		}
		produce(seeds, rest[0], number(rest[1]), number(rest[2]), rest[3], rate)
	case mode == "consume" && len(rest) == 2:
		consume(seeds, rest[0], number(rest[1]))
	case mode == "e2e" && len(rest) == 4:
		endToEnd(seeds, rest[0], number(rest[1]), number(rest[2]), number(rest[3]))
	case mode == "copy" && len(rest) == 3:
		copyExactlyOnce(seeds, rest[0], rest[1], number(rest[2]))
	default:
		fail("%s", usage)
	}
}

// produce sends the records, and counts what the brokers acknowledged.
func produce(seeds kgo.Opt, topic string, records, size int, codec string, rate int) {
	client := connect(seeds,
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.ProducerBatchMaxBytes(batchBytesMax),
		kgo.MaxBufferedRecords(bufferedRecords),
		kgo.ProducerBatchCompression(compression(codec)),
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(batchBytesMax, true, true, nil)),
	)
	defer client.Close()
	values := clicks(size)
	pool := sync.Pool{New: func() any { return new(kgo.Record) }}
	var errors atomic.Int64
	acknowledged := func(record *kgo.Record, err error) {
		if err != nil && errors.Add(1) == 1 {
			fmt.Fprintln(os.Stderr, "not delivered:", err)
		}
		*record = kgo.Record{}
		pool.Put(record)
	}
	ctx := context.Background()
	clock := start()
	for n := range records {
		if rate > 0 {
			due := clock.at.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
			if wait := time.Until(due); wait > time.Millisecond {
				time.Sleep(wait)
			}
		}
		record := pool.Get().(*kgo.Record)
		record.Value = values[n%len(values)]
		client.Produce(ctx, record, acknowledged)
	}
	if err := client.Flush(ctx); err != nil {
		fail("flush: %v", err)
	}
	clock.report("produce", records, errors.Load(), nil)
}

// consume reads the records by a fresh group.
func consume(seeds kgo.Opt, topic string, records int) {
	startup := start()
	client := connect(seeds,
		kgo.ConsumerGroup(fresh("consume")),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.FetchMaxPartitionBytes(8<<20),
		kgo.WithPools(&slices{}),
	)
	defer client.Close()
	ctx := context.Background()
	var seen int
	var read sum
	var extra map[string]any
	var clock clock
	for seen < records {
		fetches := client.PollFetches(ctx)
		if seen == 0 && fetches.NumRecords() > 0 {
			clock = start()
			extra = map[string]any{
				"startup_seconds":     clock.at.Sub(startup.at).Seconds(),
				"startup_cpu_seconds": clock.cpu - startup.cpu,
			}
		}
		check(fetches)
		fetches.EachRecord(func(record *kgo.Record) {
			read.add(record.Value)
			record.Recycle()
			seen++
		})
	}
	read.check()
	clock.report("consume", seen, int64(seen-records), extra)
}

// endToEnd sends at a steady rate and measures how long each record takes to be read.
func endToEnd(seeds kgo.Opt, topic string, records, rate, partitions int) {
	ctx := context.Background()
	var assigned atomic.Int64
	consumer := connect(seeds,
		kgo.ConsumerGroup(fresh("e2e")),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
			for _, of := range topics {
				assigned.Add(int64(len(of)))
			}
		}),
	)
	defer consumer.Close()
	producer := connect(seeds,
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	defer producer.Close()

	epoch := time.Now()
	latencies := make([]time.Duration, 0, records)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for len(latencies) < records {
			fetches := consumer.PollFetches(ctx)
			check(fetches)
			now := time.Since(epoch)
			fetches.EachRecord(func(record *kgo.Record) {
				// What is sent unmeasured has no time in it.
				if sent := binary.BigEndian.Uint64(record.Value); sent > 0 {
					latencies = append(latencies, now-time.Duration(sent))
				}
			})
		}
	}()
	for assigned.Load() < int64(partitions) {
		time.Sleep(10 * time.Millisecond)
	}
	var errors atomic.Int64
	acknowledged := func(_ *kgo.Record, err error) {
		if err != nil && errors.Add(1) == 1 {
			fmt.Fprintln(os.Stderr, "not delivered:", err)
		}
	}
	var clock clock
	unmeasured := 3 * rate
	begin := time.Now()
	for n := range unmeasured + records {
		time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		if n == unmeasured {
			clock = start()
		}
		value := make([]byte, 100)
		if n >= unmeasured {
			binary.BigEndian.PutUint64(value, uint64(time.Since(epoch)))
		}
		producer.Produce(ctx, &kgo.Record{Partition: int32(n % partitions), Value: value}, acknowledged)
	}
	<-done
	clock.report("e2e", records, errors.Load(), percentiles(latencies))
}

// copyExactlyOnce reads, writes and commits in transactions of 100 ms.
func copyExactlyOnce(seeds kgo.Opt, in, out string, records int) {
	session, err := kgo.NewGroupTransactSession(
		seeds,
		kgo.TransactionalID(fresh("copy")),
		kgo.ConsumerGroup(fresh("copy")),
		kgo.ConsumeTopics(in),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		kgo.FetchMaxPartitionBytes(8<<20),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.ProducerBatchMaxBytes(batchBytesMax),
		kgo.MaxBufferedRecords(bufferedRecords),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.WithPools(&slices{}),
	)
	if err != nil {
		fail("client: %v", err)
	}
	defer session.Close()
	var errors atomic.Int64
	acknowledged := func(record *kgo.Record, err error) {
		if err != nil && errors.Add(1) == 1 {
			fmt.Fprintln(os.Stderr, "not delivered:", err)
		}
		record.Recycle()
	}
	ctx := context.Background()
	var seen int
	var clock clock
	for seen < records {
		if err := session.Begin(); err != nil {
			fail("begin: %v", err)
		}
		until, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		for seen < records && until.Err() == nil {
			fetches := session.PollRecords(until, 10_000)
			if fetches.NumRecords() == 0 {
				continue
			}
			if seen == 0 {
				clock = start()
			}
			check(fetches)
			fetches.EachRecord(func(record *kgo.Record) {
				record.Topic = out
				session.Produce(ctx, record, acknowledged)
				seen++
			})
		}
		cancel()
		committed, err := session.End(ctx, kgo.TryCommit)
		if err != nil || !committed {
			fail("commit: committed %v, %v", committed, err)
		}
	}
	clock.report("copy", seen, errors.Load(), nil)
}

func connect(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(options...)
	if err != nil {
		fail("client: %v", err)
	}
	return client
}

func compression(name string) kgo.CompressionCodec {
	switch name {
	case "none":
		return kgo.NoCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "gzip":
		return kgo.GzipCompression()
	}
	fail("no codec '%s'", name)
	panic("unreachable")
}

func check(fetches kgo.Fetches) {
	fetches.EachError(func(topic string, partition int32, err error) {
		fail("fetch of %s/%d: %v", topic, partition, err)
	})
}

// slices lends the slices that fetched records are decoded into.
type slices struct{ pool sync.Pool }

func (s *slices) GetRecords(n int) []kgo.Record {
	if lent, ok := s.pool.Get().(*[]kgo.Record); ok && cap(*lent) >= n {
		return *lent
	}
	return make([]kgo.Record, n)
}

func (s *slices) PutRecords(back []kgo.Record) { s.pool.Put(&back) }

// clicks are the 1,000 values that records are made of: the same bytes in every contestant.
func clicks(size int) [][]byte {
	values := make([][]byte, 1000)
	for n := range values {
		click := fmt.Appendf(nil, `{"user_id":%d,"cURL":"https://example.com/`, n*7_919%1_000_003)
		letter := uint64(n)
		for len(click)+2 < size {
			letter = letter*6364136223846793005 + 1442695040888963407
			click = append(click, "abcdefghijklmnopqrstuvwxyz012345"[letter>>59])
		}
		values[n] = append(click, `"}`...)[:size]
	}
	return values
}

// sum shows that every value was read.
type sum struct{ bytes, ends int }

func (s *sum) add(value []byte) {
	s.bytes += len(value)
	if len(value) > 0 {
		s.ends += int(value[len(value)-1])
	}
}

func (s *sum) check() {
	if s.bytes == 0 || s.ends == 0 {
		fail("records without values were read")
	}
}

type clock struct {
	at  time.Time
	cpu float64
}

func start() clock {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail("getrusage: %v", err)
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return clock{at: time.Now(), cpu: cpu.Seconds()}
}

// report prints the line of JSON, and ends the program with 1 after errors.
func (c clock) report(mode string, records int, errors int64, extra map[string]any) {
	end := start()
	seconds := end.at.Sub(c.at).Seconds()
	line := map[string]any{
		"client": "franz-go", "mode": mode, "records": records, "seconds": seconds, "cpu_seconds": end.cpu - c.cpu,
		"records_per_second": float64(records) / seconds, "peak_rss_mb": peakRSS(), "errors": errors,
	}
	for name, value := range extra {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		fail("report: %v", err)
	}
	fmt.Println(string(text))
	if errors != 0 {
		os.Exit(1)
	}
}

// peakRSS is the kernel's high water mark of this program; that of getrusage would hold its parent's, too.
func peakRSS() float64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "VmHWM:" {
			return float64(number(fields[1])) / 1024
		}
	}
	return 0
}

func percentiles(latencies []time.Duration) map[string]any {
	sort.Slice(latencies, func(a, b int) bool { return latencies[a] < latencies[b] })
	at := func(part float64) float64 {
		place := min(int(float64(len(latencies))*part), len(latencies)-1)
		return latencies[place].Seconds() * 1000
	}
	return map[string]any{"p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1)}
}

func fresh(role string) string { return fmt.Sprintf("franz-go-%s-%d", role, time.Now().UnixNano()) }

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil || value <= 0 {
		fail("'%s' is not a positive number\n%s", text, usage)
	}
	return value
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(2)
}
