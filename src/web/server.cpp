#include "web/server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <thread>

#include "web/connection.h"

namespace negativa::web {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

tcp::acceptor listening(asio::io_context& context, const tcp::endpoint& endpoint) {
  tcp::acceptor acceptor(context);
  acceptor.open(endpoint.protocol());
  if (endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true));
  acceptor.set_option(asio::socket_base::reuse_address(true));
  acceptor.bind(endpoint);
  acceptor.listen();
  return acceptor;
}

tcp::acceptor listening_on_loopback(asio::io_context& context, uint16_t port) {
  try {
    return listening(context, {asio::ip::address_v4::loopback(), port});
  } catch (const boost::system::system_error& error) {
    fail(ErrorKind::input, "[--port] {} cannot be listened on: {}; try another, or 0 for a free one", port,
         error.code().message());
  }
}

}  // namespace

struct Server::State {
  asio::io_context context{1};
  Shared shared;
  std::vector<tcp::acceptor> acceptors;
  std::thread thread;

  State(ServerSettings settings, const Router& router, EventLog& events) : shared(std::move(settings), router, events) {}

  void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([this, &acceptor](boost::system::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later(acceptor);
      if (shared.connections.size() < shared.settings.connections) {
        boost::system::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        const auto connection = std::make_shared<Connection>(std::move(socket), shared);
        shared.connections.insert(connection);
        connection->begin();
      }
      accept(acceptor);
    });
  }

  // Without a free file descriptor the next try would fail at once, and the next.
  void accept_later(tcp::acceptor& acceptor) {
    const auto timer = std::make_shared<asio::steady_timer>(context, std::chrono::milliseconds(100));
    timer->async_wait([this, &acceptor, timer](boost::system::error_code) {
      if (acceptor.is_open()) accept(acceptor);
    });
  }
};

Server::Server(ServerSettings settings, const Router& router, EventLog& events)
    : state_(std::make_unique<State>(std::move(settings), router, events)) {
  auto& acceptors = state_->acceptors;
  acceptors.reserve(2);
  acceptors.push_back(listening_on_loopback(state_->context, state_->shared.settings.port));
  try {
    acceptors.push_back(listening(state_->context, {asio::ip::address_v6::loopback(), port()}));
  } catch (const boost::system::system_error&) {  // a machine without IPv6, or another program there: localhost still leads here
  }
  for (auto& acceptor : acceptors) state_->accept(acceptor);
  state_->thread = std::thread([this] { state_->context.run(); });
}

Server::~Server() {
  std::promise<void> closed;
  asio::post(state_->context, [&] {
    for (auto& acceptor : state_->acceptors) acceptor.close();
    const auto open = state_->shared.connections;
    for (const auto& connection : open) connection->close();
    closed.set_value();
  });
  closed.get_future().wait();
  state_->shared.pool.join();
  state_->context.stop();
  state_->thread.join();
}

uint16_t Server::port() const { return state_->acceptors.front().local_endpoint().port(); }

}  // namespace negativa::web
