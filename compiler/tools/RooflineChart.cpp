//===- RooflineChart.cpp - the roofline as a drawing ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both axes are logarithmic: operations per byte across, operations per second
// upwards. The roofs are bandwidth and the peak of each type in use; every
// kernel is a disc, its area the share of the time.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Roofline.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <set>

using namespace llvm;

namespace attnc::tools {
namespace {

constexpr double kWidth = 860, kHeight = 520;
constexpr double kLeft = 70, kRight = 640, kTop = 60, kBottom = 460;
// Told apart by the colour-blind (Okabe, Ito).
constexpr const char *kColours[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                    "#56b4e9", "#d55e00", "#f0e442"};

/// A logarithmic axis of whole powers of ten.
class Axis {
public:
  Axis(double least, double most, double from, double to)
      : low(std::floor(std::log10(least))), high(std::ceil(std::log10(most))),
        from(from), to(to) {
    if (high <= low)
      high = low + 1;
  }
  double at(double value) const {
    double share = (std::log10(value) - low) / (high - low);
    return from + std::clamp(share, 0.0, 1.0) * (to - from);
  }
  double low, high; ///< exponents

private:
  double from, to;
};

std::string escape(StringRef text) {
  std::string result;
  for (char letter : text)
    result += letter == '&'   ? "&amp;"
              : letter == '<' ? "&lt;"
                              : std::string(1, letter);
  return result;
}

class Chart {
public:
  Chart(const Roofline &data, raw_ostream &os)
      : data(data), os(os), x(makeX(data)), y(makeY(data)) {}

  void draw() {
    os << format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
                 "height=\"%.0f\" font-family=\"sans-serif\">\n",
                 kWidth, kHeight)
       << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    std::string title = data.entry;
    for (const auto &[name, value] : data.sizes)
      title += " " + name + "=" + std::to_string(value);
    title += ", " + data.variant + ", " + std::to_string(data.threads) +
             (data.threads == 1 ? " thread" : " threads");
    text(kLeft, 28, title, "start", 16);
    drawGrid();
    drawRoofs();
    drawKernels();
    os << "</svg>\n";
  }

private:
  static double intensity(const KernelRate &kernel) {
    return kernel.flops / kernel.bytes;
  }
  static Axis makeX(const Roofline &data) {
    double least = 1, most = 10;
    for (const KernelRate &kernel : data.kernels)
      if (kernel.flops > 0) {
        least = std::min(least, intensity(kernel));
        most = std::max(most, intensity(kernel));
      }
    return Axis(least, most, kLeft, kRight);
  }
  static Axis makeY(const Roofline &data) {
    double least = data.peak / 10, most = data.peak;
    for (const KernelRate &kernel : data.kernels)
      if (kernel.flops > 0) {
        least = std::min(least, kernel.gflops());
        most = std::max({most, kernel.peak, kernel.gflops()});
      }
    return Axis(least, most, kBottom, kTop);
  }

  void text(double left, double base, StringRef words, const char *anchor,
            int size = 12) {
    os << format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" "
                 "font-size=\"%d\">",
                 left, base, anchor, size)
       << escape(words) << "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, const char *colour,
            double width) {
    os << format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                 "stroke=\"%s\" stroke-width=\"%.1f\"/>\n",
                 x1, y1, x2, y2, colour, width);
  }
  static std::string power(double exponent) {
    std::string words;
    raw_string_ostream(words) << format("%g", std::pow(10.0, exponent));
    return words;
  }

  void drawGrid() {
    for (double e = x.low; e <= x.high; ++e) {
      double at = x.at(std::pow(10, e));
      line(at, kTop, at, kBottom, "#dddddd", 1);
      text(at, kBottom + 18, power(e), "middle");
    }
    for (double e = y.low; e <= y.high; ++e) {
      double at = y.at(std::pow(10, e));
      line(kLeft, at, kRight, at, "#dddddd", 1);
      text(kLeft - 8, at + 4, power(e), "end");
    }
    text((kLeft + kRight) / 2, kBottom + 40, "operations per byte", "middle");
    text(kLeft - 8, kTop - 14, "GFLOP/s", "end");
  }

  void drawRoofs() {
    std::set<std::pair<double, std::string>> peaks = {{data.peak, "f32"}};
    for (const KernelRate &kernel : data.kernels)
      if (kernel.flops > 0)
        peaks.insert({kernel.peak, kernel.type});
    double most = peaks.rbegin()->first;
    // From where it enters the drawing up to the highest peak.
    double begin =
        std::max(std::pow(10, x.low), std::pow(10, y.low) / data.bandwidth);
    double end = most / data.bandwidth;
    if (begin < end)
      line(x.at(begin), y.at(begin * data.bandwidth), x.at(end), y.at(most),
           "#444444", 1.5);
    for (const auto &[peak, type] : peaks) {
      double ridge = peak / data.bandwidth;
      line(x.at(ridge), y.at(peak), kRight, y.at(peak), "#444444", 1.5);
      std::string label;
      raw_string_ostream(label) << type << format(" peak %.0f", peak);
      text(kRight - 4, y.at(peak) - 6, label, "end", 11);
    }
    std::string label;
    raw_string_ostream(label)
        << data.level << format(": %.0f GB/s", data.bandwidth);
    text(kLeft + 6, kBottom - 8, label, "start", 11);
  }

  void drawKernels() {
    double row = kTop + 6;
    unsigned index = 0;
    for (const KernelRate &kernel : data.kernels) {
      double share = kernel.milliseconds / data.milliseconds;
      if (kernel.flops <= 0 || index == std::size(kColours))
        continue;
      const char *colour = kColours[index++];
      os << format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" "
                   "fill-opacity=\"0.75\"/>\n",
                   x.at(intensity(kernel)), y.at(kernel.gflops()),
                   4 + 14 * std::sqrt(share), colour);
      os << format("<rect x=\"%.1f\" y=\"%.1f\" width=\"11\" height=\"11\" "
                   "fill=\"%s\"/>\n",
                   kRight + 16, row - 10, colour);
      text(kRight + 33, row, StringRef(kernel.kernels).take_front(28), "start",
           11);
      std::string rates;
      raw_string_ostream(rates) << format("%.1f%% of the time, %.0f%% of roof",
                                          100 * share, 100 * kernel.share);
      text(kRight + 33, row + 14, rates, "start", 10);
      row += 36;
    }
  }

  const Roofline &data;
  raw_ostream &os;
  Axis x, y;
};

} // namespace

void Roofline::draw(raw_ostream &os) const { Chart(*this, os).draw(); }

} // namespace attnc::tools
