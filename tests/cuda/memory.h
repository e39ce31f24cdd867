// What is known of the memory that a launch may touch: bounds, who wrote and read what, and when.
//
// An access is ordered behind an earlier one of another thread by a barrier of the block, or of
// the warp if both are of it. Blocks of a launch are never ordered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

constexpr int WARP = 32;

struct Moment {  // of an access
    std::uint64_t epoch = 0;  // block barriers passed, of all blocks so far
    std::uint32_t warp_epoch = 0;
    int thread = -1;

    int warp() const { return thread / WARP; }
    // Whether `now`, of the same block, may run at the same time.
    bool races(const Moment &now) const {
        if (epoch != now.epoch || thread == now.thread) return false;
        return warp() != now.warp() || warp_epoch == now.warp_epoch;
    }
};

class SharedWord {  // two bytes of shared memory
    Moment written, read;
    bool many_readers = false, many_warps = false, on_its_way = false;

  public:
    // What is wrong with reading it, null if nothing; `begin` is the epoch the block began in.
    const char *reads(const Moment &now, std::uint64_t begin) {
        if (written.epoch < begin) return "reads shared memory that nothing has written";
        if (on_its_way) return "reads what a copy_async brings before waiting for it";
        if (written.races(now)) return "reads shared memory while another thread writes it";
        if (read.epoch != now.epoch) {
            many_readers = many_warps = false;
        } else if (read.warp() != now.warp()) {
            many_warps = true;
        } else if (read.warp_epoch != now.warp_epoch) {
            many_readers = false;
        } else if (read.thread != now.thread) {
            many_readers = true;
        }
        read = now;
        return nullptr;
    }

    const char *writes(const Moment &now, std::uint64_t begin) {
        if (written.epoch >= begin && on_its_way)
            return "writes where a copy_async goes before waiting for it";
        if (written.races(now)) return "writes shared memory while another thread writes it";
        const bool with_reader =
            read.races(now) || (read.epoch == now.epoch &&
                                (many_warps || (many_readers && read.warp_epoch == now.warp_epoch)));
        if (with_reader) return "writes shared memory while another thread reads it";
        written = now;
        on_its_way = false;
        return nullptr;
    }

    void copying() { on_its_way = true; }
    void arrived(const Moment &now) {
        on_its_way = false;
        written = now;
    }
};

struct Array {  // of global memory, as a kernel was given it
    unsigned char *begin;
    std::size_t bytes;
    std::vector<Moment> written;  // of every two bytes, once something is

    bool holds(const unsigned char *at, std::size_t count) const {
        return at >= begin && count <= bytes && std::size_t(at - begin) <= bytes - count;
    }

    // `launch` and `block` are the epochs that those began in.
    const char *access(const unsigned char *at, std::size_t count, bool write, const Moment &now,
                       std::uint64_t launch, std::uint64_t block) {
        if (written.empty()) {
            if (!write) return nullptr;
            written.resize(bytes / 2 + 1);
        }
        const std::size_t first = (at - begin) / 2, last = (at - begin + count - 1) / 2;
        for (std::size_t word = first; word <= last; ++word) {
            const Moment &then = written[word];
            if ((then.epoch >= launch && then.epoch < block) || then.races(now))
                return write ? "writes what another thread writes"
                             : "reads what another thread of the launch writes";
            if (write) written[word] = now;
        }
        return nullptr;
    }
};
