#pragma once
// /api/v1: the studio for its page and for programs.
#include <boost/asio/thread_pool.hpp>

#include "inventory.h"
#include "operation.h"
#include "queue.h"

namespace negativa::studio {

// What answers requests. The parts outlive it.
struct Api {
  Library& library;
  Queue& queue;
  const Roots& roots;
  const Inventory& inventory;
  // Where questions are answered that take a while; at most `most_questions` at once or waiting.
  boost::asio::thread_pool& questions;
  std::atomic<int> asked = 0;
};
inline constexpr int most_questions = 32;

// Answers `question` on a thread that may take its time; 503 where too many wait.
web::Handler questioning(Api& api, std::function<web::Response(const web::Request&)> question);

std::vector<Operation> job_operations(Api& api);
std::vector<Operation> picture_operations(Api& api);
std::vector<Operation> inventory_operations(Api& api);
std::vector<Operation> training_operations(Api& api);
std::vector<Operation> run_operations(Api& api);

// Of all of them; the document is made once.
void add_api(web::Router& router, Api& api);

}  // namespace negativa::studio
