// Package eventhub reads Event Hubs through their Kafka endpoint: what the
// diagnostic settings of Microsoft Entra and the streaming of Microsoft Defender
// write there.
//
// Partitions are read directly and no group is joined: offsets are cursors that
// become durable with the records. Nothing is ever reset silently: what the hub
// deleted before it was read, and a hub that was deleted and made anew, are told
// as holes.
package eventhub
