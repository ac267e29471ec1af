//===- ThreadCountTest.cpp - what threads = 0 means -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The affinity mask, and quotas of control groups of both versions, read from
// made-up /proc and /sys.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include "ThreadCount.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <thread>

using namespace toy;
using testing::HasSubstr;

namespace {

TEST(ThreadCount, RespectsTheAffinityMask) {
  std::thread([] {
    cpu_set_t all, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
    EXPECT_EQ(attnrt::affinityProcessors(), CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &all)) {
        CPU_SET(cpu, &one);
        break;
      }
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(attnrt::affinityProcessors(), 1);
    attn_options options = rightOptions();
    options.threads = 0;
    Opened opened(options);
    EXPECT_THAT(info(opened.model), HasSubstr("\"threads\":1,"));
  }).join();
}

void writeText(const std::string &path, const std::string &text) {
  std::filesystem::create_directories(
      std::filesystem::path(path).parent_path());
  writeFile(path, std::vector<unsigned char>(text.begin(), text.end()));
}

TEST(ThreadCount, QuotaOfControlGroups2) {
  TemporaryFolder root;
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 0);
  writeText(root / "proc/self/cgroup", "0::/a/b\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 0);
  writeText(root / "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 0);
  writeText(root / "sys/fs/cgroup/a/cpu.max", "350000 100000\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 3);
  writeText(root / "sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 1);
  writeText(root / "sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
  writeText(root / "sys/fs/cgroup/cpu.max", "20000 100000\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 1);
}

TEST(ThreadCount, QuotaOfControlGroups1) {
  TemporaryFolder root;
  writeText(root / "proc/self/cgroup",
            "5:cpuset:/x\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/y\n");
  std::string group = root / "sys/fs/cgroup/cpu/docker/1/";
  writeText(group + "cpu.cfs_quota_us", "-1\n");
  writeText(group + "cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 0);
  writeText(group + "cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 4);
  // As a container without a namespace of its own sees it.
  std::filesystem::remove_all(root / "sys/fs/cgroup/cpu/docker");
  writeText(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  writeText(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 2);
}

TEST(ThreadCount, TheSmallestLimitCounts) {
  const char *reason = nullptr;
  EXPECT_EQ(attnrt::usableThreads(8, 0, reason), 8);
  EXPECT_STREQ(reason, "the affinity mask");
  EXPECT_EQ(attnrt::usableThreads(8, 8, reason), 8);
  EXPECT_STREQ(reason, "the affinity mask");
  EXPECT_EQ(attnrt::usableThreads(8, 3, reason), 3);
  EXPECT_STREQ(reason, "the control group's quota");
  EXPECT_EQ(attnrt::usableThreads(4096, 0, reason), 1024);
  EXPECT_STREQ(reason, "the limit of 1024");
}

TEST(ThreadCount, DamagedFilesLimitNothing) {
  TemporaryFolder root;
  // A quota without its period, and a group that is not the processor's.
  writeText(root / "proc/self/cgroup", "4:cpu:/a\n5:cpx,memory:/b");
  writeText(root / "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "100000\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 0);
  // Characters that are no digits on either side of them; no period.
  writeText(root / "proc/self/cgroup", "0::/a\n");
  for (const char *text : {"1:", "100000 max", "100000 0", "100000", " 1 1"}) {
    writeText(root / "sys/fs/cgroup/a/cpu.max", text);
    EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 0) << text;
  }
  // More than is read of a file, and a path longer than there is room for.
  std::string group = "0::/" + std::string(4300, 'a') + "\n";
  writeText(root / "proc/self/cgroup", group);
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 0);
  std::string deep = root / std::string(180, 'r');
  writeText(deep + "/proc/self/cgroup", group);
  EXPECT_EQ(attnrt::quotaProcessors(deep.c_str()), 0);
  writeText(root / "proc/self/cgroup", "0:\nrubbish\n0::/../..\n");
  writeText(root / "sys/fs/cgroup/cpu.max", "0 0\n");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 0);
  writeText(root / "sys/fs/cgroup/cpu.max", "99999999999999999999999 1");
  EXPECT_EQ(attnrt::quotaProcessors(root.path.c_str()), 1024);
}

} // namespace
