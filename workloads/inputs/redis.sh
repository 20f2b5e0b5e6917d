# SPDX-License-Identifier: MIT
# A Redis server, and beside it a client that asks for so much and then tells it to stop.
port=6399
(
    until redis-cli -p $port ping >/dev/null 2>&1; do sleep 0.1; done
    redis-benchmark -p $port -c 8 -n 20000 -r 20000 -d 64 -q \
        -t set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset
    redis-cli -p $port shutdown nosave
) &
exec redis-server --port $port --bind 127.0.0.1 --save '' --appendonly no
